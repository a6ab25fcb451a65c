#include "controlplane/yaml/problems.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "common/base/escape.h"

namespace sluice::yaml {

namespace {

// Problems of a document without files need a name to stand under.
std::vector<std::string> NotEmpty(std::vector<std::string> files) {
  if (files.empty()) files.emplace_back("document");
  return files;
}

// The front of `text`, in whole characters.
std::string_view Front(std::string_view text, size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  size_t end = bytes_max;
  while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

// Messages quote the document: they must neither end the line nor drive a terminal nor fill it.
std::string ForOneLine(std::string_view message) {
  constexpr size_t kMessageBytesMax = 600;
  const std::string_view shown = Front(message, kMessageBytesMax);
  std::string line;
  base::AppendPlainEscaped(&line, shown);
  if (shown.size() < message.size()) line += "...";
  return line;
}

}  // namespace

Problems::Problems(std::vector<std::string> files) : files_(NotEmpty(std::move(files))) {}

void Problems::Error(Place place, std::string_view path, std::string_view message) {
  if (errors_++ >= kProblemsMax) return;
  items_.push_back({v1::Problem::ERROR, place, std::string(path), ForOneLine(message)});
}

void Problems::Warn(Place place, std::string_view path, std::string_view message) {
  if (warnings_++ >= kProblemsMax) return;
  items_.push_back({v1::Problem::WARNING, place, std::string(path), ForOneLine(message)});
}

std::string Problems::Format(Place place) const {
  return fmt::format("{}:{}:{}", files_[place.file], place.line, place.column);
}

std::vector<v1::Problem> Problems::Sorted() const {
  std::vector<const Item*> order;
  order.reserve(items_.size());
  for (const Item& item : items_) order.push_back(&item);
  std::stable_sort(order.begin(), order.end(), [](const Item* a, const Item* b) {
    return std::tie(a->place, a->severity) < std::tie(b->place, b->severity);
  });
  std::vector<v1::Problem> sorted;
  sorted.reserve(order.size() + 1);
  for (const Item* item : order) {
    v1::Problem& problem = sorted.emplace_back();
    problem.set_severity(item->severity);
    problem.set_file(files_[item->place.file]);
    problem.set_line(item->place.line);
    problem.set_column(item->place.column);
    problem.set_path(item->path);
    problem.set_message(item->message);
  }
  if (errors_ > kProblemsMax) {
    v1::Problem& rest = sorted.emplace_back();
    rest.set_severity(v1::Problem::ERROR);
    rest.set_file(files_.front());
    rest.set_message(
        fmt::format("{} more errors are not shown; mend these first", errors_ - kProblemsMax));
  }
  return sorted;
}

std::string Quoted(std::string_view value) {
  constexpr size_t kShownBytesMax = 80;
  const std::string_view shown = Front(value, kShownBytesMax);
  return fmt::format("'{}{}'", shown, shown.size() < value.size() ? "..." : "");
}

}  // namespace sluice::yaml
