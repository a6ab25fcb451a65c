#include "tools/sluicectl/problem_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace sluice::sluicectl {
namespace {

// Longer lines are shown around the column only.
constexpr size_t kLineBytesMax = 160;
constexpr size_t kBytesBefore = 80;

std::vector<std::string_view> SplitLines(std::string_view content) {
  std::vector<std::string_view> lines;
  while (!content.empty()) {
    const size_t end = std::min(content.find('\n'), content.size());
    std::string_view line = content.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
    content.remove_prefix(std::min(end + 1, content.size()));
  }
  return lines;
}

// Tabs are one column wide on screen, so that the caret stands where it should.
std::string Shown(std::string_view bytes) {
  std::string text(bytes);
  std::replace(text.begin(), text.end(), '\t', ' ');
  return EscapeForTerminal(text);
}

bool ParseNumber(std::string_view digits, uint32_t* value) {
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, *value);
  return error == std::errc() && stop == end && !digits.empty();
}

}  // namespace

SourceLines::SourceLines(const v1::Document& document) {
  for (const v1::SourceFile& file : document.files()) {
    files_[file.path()] = SplitLines(file.content());
  }
}

bool SourceLines::Find(const std::string& file, uint32_t line, std::string_view* text) const {
  const auto found = files_.find(file);
  if (found == files_.end() || line == 0 || line > found->second.size()) return false;
  *text = found->second[line - 1];
  return true;
}

std::string PlaceOf(const v1::Problem& problem) {
  if (problem.file().empty() || problem.line() == 0) return problem.file();
  if (problem.column() == 0) return fmt::format("{}:{}", problem.file(), problem.line());
  return fmt::format("{}:{}:{}", problem.file(), problem.line(), problem.column());
}

void AppendSourceLine(Text* text, const SourceLines& lines, const v1::Problem& place) {
  std::string_view line;
  if (!lines.Find(place.file(), place.line(), &line)) return;
  size_t column = std::min<size_t>(std::max<size_t>(place.column(), 1) - 1, line.size());
  if (line.size() > kLineBytesMax) {
    const size_t start = column > kBytesBefore ? column - kBytesBefore : 0;
    line = line.substr(start, kLineBytesMax);
    column -= start;
  }
  const std::string number = fmt::format("{:>5} | ", place.line());
  text->Add(number, Style::kDim).Add(Shown(line)).EndLine();
  if (place.column() == 0) return;
  const size_t width = number.size() + DisplayWidth(Shown(line.substr(0, column)));
  text->Add(std::string(width, ' ')).Add("^", Style::kGreen).EndLine();
}

void AppendProblem(Text* text, const v1::Problem& problem, const SourceLines* lines) {
  const std::string place = PlaceOf(problem);
  if (!place.empty()) text->Add(place, Style::kBold).Add(": ");
  if (problem.severity() == v1::Problem::WARNING) {
    text->Add("warning", Style::kYellow);
  } else {
    text->Add("error", Style::kRed);
  }
  text->Add(": ");
  if (!problem.path().empty()) text->Add(problem.path()).Add(": ");
  text->Add(problem.message()).EndLine();
  if (lines != nullptr) AppendSourceLine(text, *lines, problem);
}

bool ParsePlace(const std::string& source, v1::Problem* place) {
  const size_t last = source.rfind(':');
  if (last == std::string::npos || last == 0) return false;
  const size_t before = source.rfind(':', last - 1);
  if (before == std::string::npos || before == 0) return false;
  uint32_t line = 0;
  uint32_t column = 0;
  const std::string_view text = source;
  if (!ParseNumber(text.substr(before + 1, last - before - 1), &line)) return false;
  if (!ParseNumber(text.substr(last + 1), &column)) return false;
  place->set_file(source.substr(0, before));
  place->set_line(line);
  place->set_column(column);
  return true;
}

}  // namespace sluice::sluicectl
