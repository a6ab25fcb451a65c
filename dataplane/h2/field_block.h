// The fields of one header section together with their bytes, for protocols that deliver them one
// by one (HTTP/2).
//
// Hot path: no allocation once its capacity has grown.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice::h2 {

class FieldBlock {
 public:
  void Clear() {
    text_.clear();
    spans_.clear();
  }
  // Copies both.
  void Add(std::string_view name, std::string_view value) {
    spans_.push_back({static_cast<uint32_t>(text_.size()), static_cast<uint32_t>(name.size()),
                      static_cast<uint32_t>(value.size())});
    text_.append(name).append(value);
  }
  size_t count() const { return spans_.size(); }
  // As SETTINGS_MAX_HEADER_LIST_SIZE counts (RFC 9113 section 6.5.2): names, values, and this for
  // each field.
  static constexpr size_t kEntryBytes = 32;
  size_t listed_bytes() const { return text_.size() + spans_.size() * kEntryBytes; }

  struct Entry {
    std::string_view name, value;
  };
  // Good until the next Add or Clear.
  Entry operator[](size_t index) const {
    const Span& span = spans_[index];
    const char* const name = text_.data() + span.begin;
    return {{name, span.name_bytes}, {name + span.name_bytes, span.value_bytes}};
  }

 private:
  struct Span {
    uint32_t begin, name_bytes, value_bytes;
  };
  std::string text_;
  std::vector<Span> spans_;
};

}  // namespace sluice::h2
