#include "common/base/escape.h"

#include <cstdint>

#include "common/base/utf8.h"

namespace sluice::base {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

void AppendHexByte(std::string* out, std::string_view prefix, char c) {
  const auto byte = static_cast<uint8_t>(c);
  *out += prefix;
  *out += kHexDigits[byte >> 4];
  *out += kHexDigits[byte & 0xF];
}

// The letter after the backslash, or 0.
char ShortEscape(char c) {
  switch (c) {
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    default:
      return 0;
  }
}

bool IsControl(char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7F; }

}  // namespace

void AppendJsonEscaped(std::string* out, std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    const size_t length = Utf8Length(text.substr(i));
    if (length == 0) {
      *out += "\xEF\xBF\xBD";
      ++i;
      continue;
    }
    if (c == '"' || c == '\\') {
      *out += '\\';
      *out += c;
    } else if (ShortEscape(c) != 0) {
      *out += '\\';
      *out += ShortEscape(c);
    } else if (IsControl(c)) {
      AppendHexByte(out, "\\u00", c);
    } else {
      out->append(text.substr(i, length));
    }
    i += length;
  }
}

void AppendPlainEscaped(std::string* out, std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    const size_t length = Utf8Length(text.substr(i));
    if (ShortEscape(c) != 0) {
      *out += '\\';
      *out += ShortEscape(c);
    } else if (length == 0 || IsControl(c)) {
      AppendHexByte(out, "\\x", c);
    } else {
      out->append(text.substr(i, length));
    }
    i += length == 0 ? 1 : length;
  }
}

}  // namespace sluice::base
