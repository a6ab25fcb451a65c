#include "controlplane/yaml/text.h"

#include <fmt/format.h>

#include "common/base/utf8.h"

namespace sluice::yaml {
namespace {

std::string_view WithoutBom(std::string_view bytes) {
  constexpr std::string_view kBom = "\xef\xbb\xbf";
  if (bytes.starts_with(kBom)) bytes.remove_prefix(kBom.size());
  return bytes;
}

bool IsUtf16(std::string_view bytes) {
  return bytes.starts_with("\xff\xfe") || bytes.starts_with("\xfe\xff");
}

// Walks the text once, knowing the place.
class Scan {
 public:
  Scan(std::string_view bytes, uint32_t file) : bytes_(bytes), place_{file, 1, 1} {}

  // Empty when all is well, else what is wrong at place().
  std::string Run(PreparedText* text) {
    bool indentation = true;
    while (at_ < bytes_.size()) {
      const auto byte = static_cast<uint8_t>(bytes_[at_]);
      if (byte == '\n') {
        ++place_.line;
        place_.column = 1;
        ++at_;
        indentation = true;
        continue;
      }
      if (byte == '\t' && indentation) NoteTab(text);
      if (byte != ' ' && byte != '\t') indentation = false;
      const size_t length = byte < 0x80 ? 1 : base::Utf8Length(bytes_.substr(at_));
      if (std::string wrong = WhatIsWrong(byte, length); !wrong.empty()) return wrong;
      if (byte == '\r') has_carriage_returns_ = true;
      if (byte >= 0x80) text->ascii = false;
      at_ += length;
      ++place_.column;
    }
    return {};
  }

  Place place() const { return place_; }
  bool has_carriage_returns() const { return has_carriage_returns_; }

 private:
  std::string WhatIsWrong(uint8_t byte, size_t length) const {
    if (length == 0) {
      return fmt::format("byte 0x{:02x} is not UTF-8; save the file as UTF-8", byte);
    }
    if (byte == 0) return "a NUL byte; this is not a text file";
    if (byte == '\r' && !bytes_.substr(at_ + 1).starts_with('\n')) {
      return "a carriage return without a line feed; end lines with LF or CRLF";
    }
    const bool control = (byte < 0x20 && byte != '\t' && byte != '\r') || byte == 0x7F;
    if (control) {
      return fmt::format(
          "a control character (0x{:02x}); write it as \"\\x{:02x}\" in double quotes if it is "
          "meant",
          byte, byte);
    }
    return {};
  }

  void NoteTab(PreparedText* text) {
    if (tab_line_ == place_.line || text->tab_lines.size() >= kTabLinesMax) return;
    tab_line_ = place_.line;
    // A line of nothing but blanks, or a comment, indents nothing.
    const size_t next = bytes_.find_first_not_of(" \t", at_);
    if (next == std::string_view::npos || bytes_[next] == '\n' || bytes_[next] == '\r' ||
        bytes_[next] == '#') {
      return;
    }
    text->tab_lines.push_back(static_cast<int>(place_.line) - 1);
  }

  const std::string_view bytes_;
  Place place_;
  size_t at_ = 0;
  uint32_t tab_line_ = 0;  // The last line NoteTab has looked at.
  bool has_carriage_returns_ = false;
};

std::string WithLineFeedsOnly(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (const char c : bytes) {
    if (c != '\r') out += c;  // Every one of them stands before a line feed.
  }
  return out;
}

}  // namespace

bool PrepareText(std::string_view bytes, uint32_t file, PreparedText* text, Problems* problems) {
  if (IsUtf16(bytes)) {
    problems->Error({file, 1, 1}, "", "the file is UTF-16; save it as UTF-8");
    return false;
  }
  text->bytes = WithoutBom(bytes);
  Scan scan(text->bytes, file);
  if (const std::string wrong = scan.Run(text); !wrong.empty()) {
    problems->Error(scan.place(), "", wrong);
    return false;
  }
  if (scan.has_carriage_returns()) {
    text->normalized = WithLineFeedsOnly(text->bytes);
    text->bytes = text->normalized;
  }
  return true;
}

}  // namespace sluice::yaml
