#include "tools/sluicectl/text.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>

#include "common/base/escape.h"
#include "common/base/utf8.h"

namespace sluice::sluicectl {
namespace {

struct Range {
  uint32_t first;
  uint32_t last;
};

// Unicode's East Asian Wide and Fullwidth blocks, coarsely.
constexpr std::array<Range, 9> kWide = {{{0x1100, 0x115F},
                                         {0x2E80, 0xA4CF},
                                         {0xAC00, 0xD7A3},
                                         {0xF900, 0xFAFF},
                                         {0xFE30, 0xFE6F},
                                         {0xFF00, 0xFF60},
                                         {0xFFE0, 0xFFE6},
                                         {0x1F300, 0x1FAFF},
                                         {0x20000, 0x3FFFD}}};
constexpr std::array<Range, 4> kZeroWidth = {
    {{0x0300, 0x036F}, {0x200B, 0x200D}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}}};
// C1 controls (a terminal may take U+009B for ESC [), line separators and direction marks.
constexpr std::array<Range, 5> kUnsafe = {
    {{0x0080, 0x009F}, {0x061C, 0x061C}, {0x200E, 0x200F}, {0x2028, 0x202E}, {0x2066, 0x2069}}};

template <size_t N>
bool In(const std::array<Range, N>& ranges, uint32_t code) {
  for (const Range& range : ranges) {
    if (code >= range.first && code <= range.last) return true;
  }
  return false;
}

// `text` begins with a well-formed character of `length` bytes.
uint32_t Decode(std::string_view text, size_t length) {
  const auto byte = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  if (length == 1) return byte(0);
  uint32_t code = byte(0) & (0xFFu >> (length + 1));
  for (size_t i = 1; i < length; ++i) code = (code << 6) | (byte(i) & 0x3F);
  return code;
}

size_t Columns(uint32_t code) {
  if (In(kZeroWidth, code)) return 0;
  return In(kWide, code) ? 2 : 1;
}

std::string_view Sequence(Style style) {
  switch (style) {
    case Style::kPlain:
      return "";
    case Style::kBold:
      return "\x1b[1m";
    case Style::kDim:
      return "\x1b[2m";
    case Style::kRed:
      return "\x1b[31m";
    case Style::kGreen:
      return "\x1b[32m";
    case Style::kYellow:
      return "\x1b[33m";
    case Style::kCyan:
      return "\x1b[36m";
  }
  return "";
}

constexpr std::string_view kReset = "\x1b[0m";

}  // namespace

std::string EscapeForTerminal(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  size_t start = 0;  // Of what has not been written yet.
  for (size_t i = 0; i < text.size();) {
    const size_t length = base::Utf8Length(text.substr(i));
    if (length > 1) {
      const uint32_t code = Decode(text.substr(i), length);
      if (In(kUnsafe, code)) {
        base::AppendPlainEscaped(&out, text.substr(start, i - start));
        out += fmt::format("\\u{:04x}", code);
        start = i + length;
      }
    }
    i += length == 0 ? 1 : length;
  }
  base::AppendPlainEscaped(&out, text.substr(start));
  return out;
}

size_t DisplayWidth(std::string_view text) {
  size_t columns = 0;
  while (!text.empty()) {
    const size_t length = base::Utf8Length(text);
    columns += length == 0 ? 1 : Columns(Decode(text, length));
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return columns;
}

std::string_view CutToWidth(std::string_view text, size_t columns) {
  size_t used = 0;
  size_t i = 0;
  while (i < text.size()) {
    const size_t length = base::Utf8Length(text.substr(i));
    used += length == 0 ? 1 : Columns(Decode(text.substr(i), length));
    if (used > columns) break;
    i += length == 0 ? 1 : length;
  }
  return text.substr(0, i);
}

Text::Spans& Text::Last() {
  if (!open_) {
    lines_.emplace_back();
    open_ = true;
  }
  return lines_.back();
}

Text& Text::Add(std::string_view text, Style style) {
  Last().push_back({EscapeForTerminal(text), style});
  return *this;
}

Text& Text::AddPadded(std::string_view text, size_t columns, Style style) {
  Add(text, style);
  const size_t width = DisplayWidth(Last().back().text);
  if (width < columns) Add(std::string(columns - width, ' '));
  return *this;
}

Text& Text::EndLine() {
  Last();
  open_ = false;
  return *this;
}

Text& Text::Line(std::string_view text, Style style) {
  if (open_) EndLine();
  return Add(text, style).EndLine();
}

Text& Text::Append(const Text& other) {
  if (open_) EndLine();
  lines_.insert(lines_.end(), other.lines_.begin(), other.lines_.end());
  return *this;
}

std::string Text::RenderLine(size_t index, bool color, size_t columns) const {
  std::string out;
  size_t left = columns;
  for (const Span& span : lines_[index]) {
    std::string_view text = span.text;
    if (columns != 0) {
      text = CutToWidth(text, left);
      left -= DisplayWidth(text);
    }
    if (text.empty()) continue;
    const bool styled = color && span.style != Style::kPlain;
    if (styled) out += Sequence(span.style);
    out += text;
    if (styled) out += kReset;
  }
  // Padding of the last column would only show when copied.
  const size_t end = out.find_last_not_of(' ');
  out.resize(end == std::string::npos ? 0 : end + 1);
  return out;
}

std::string Text::Render(bool color) const {
  std::string out;
  for (size_t i = 0; i < lines_.size(); ++i) {
    out += RenderLine(i, color, 0);
    out += '\n';
  }
  return out;
}

}  // namespace sluice::sluicectl
