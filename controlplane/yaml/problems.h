// What is wrong with a document, each with its place; all of it, not just the first.
//
// One thread. Bounded: a hostile document cannot make the list itself the attack.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/v1/admin_service.pb.h"

namespace sluice::yaml {

// Kept at most of each severity; further errors are counted and told in one line.
inline constexpr size_t kProblemsMax = 1000;

// Where something was written. 1-based; line 0 means the file as a whole.
struct Place {
  uint32_t file = 0;  // Index into the document's files.
  uint32_t line = 0;
  uint32_t column = 0;  // In characters, not bytes.
  auto operator<=>(const Place&) const = default;
};

class Problems {
 public:
  // One name for each file of the document.
  explicit Problems(std::vector<std::string> files);

  void Error(Place place, std::string_view path, std::string_view message);
  void Warn(Place place, std::string_view path, std::string_view message);

  bool has_errors() const { return errors_ > 0; }
  // "file:line:column", as people and editors read it.
  std::string Format(Place place) const;
  const std::string& file_name(uint32_t file) const { return files_[file]; }

  // Sorted by place.
  std::vector<v1::Problem> Sorted() const;

 private:
  struct Item {
    v1::Problem::Severity severity;
    Place place;
    std::string path;
    std::string message;
  };

  const std::vector<std::string> files_;
  std::vector<Item> items_;
  size_t errors_ = 0;
  size_t warnings_ = 0;
};

// A value of the document for a message: quoted, cut when long.
std::string Quoted(std::string_view value);

}  // namespace sluice::yaml
