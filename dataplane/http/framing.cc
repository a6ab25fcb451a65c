#include "dataplane/http/framing.h"

#include <algorithm>

#include "dataplane/http/char_class.h"

namespace sluice::http {

ParseError FramingFields::Take(const Field& field) {
  switch (field.id) {
    case FieldId::kContentLength:
      return TakeLength(field.value);
    case FieldId::kTransferEncoding:
      return TakeEncoding(field.value);
    case FieldId::kConnection:
      return TakeConnection(field.value);
    case FieldId::kUpgrade:
      has_upgrade = true;
      return ParseError::kNone;
    default:
      return ParseError::kNone;
  }
}

// Exactly one field, digits only. Lists and repetitions are refused even where all values agree:
// whoever sends them has merged two messages. Eighteen digits stay within an off_t.
ParseError FramingFields::TakeLength(std::string_view value) {
  constexpr size_t kDigitsMax = 18;
  if (has_encoding) return ParseError::kBothLengthAndEncoding;
  if (has_length || value.empty() || value.size() > kDigitsMax) {
    return ParseError::kBadContentLength;
  }
  has_length = true;
  for (const char c : value) {
    if (!IsDigit(c)) return ParseError::kBadContentLength;
    content_length = content_length * 10 + static_cast<uint64_t>(c - '0');
  }
  return ParseError::kNone;
}

// Exactly one field that says "chunked". A list of codings that ends with chunked once, or does not
// have it, is one we cannot decode (501); any other leaves the length of the body unknown or is
// malformed (RFC 9112 sections 6.1 and 6.3).
ParseError FramingFields::TakeEncoding(std::string_view value) {
  if (has_encoding) return ParseError::kBadTransferEncoding;
  has_encoding = true;
  if (EqualsLower(value, "chunked")) {
    return has_length ? ParseError::kBothLengthAndEncoding : ParseError::kNone;
  }
  for (bool last = false, chunked = false; !last;) {
    const size_t comma = value.find(',');
    last = comma == std::string_view::npos;
    const std::string_view coding = TrimOws(value.substr(0, comma));
    if (!IsToken(coding) || chunked) return ParseError::kBadTransferEncoding;
    chunked = EqualsLower(coding, "chunked");
    value.remove_prefix(last ? value.size() : comma + 1);
  }
  return ParseError::kUnknownTransferCoding;
}

ParseError FramingFields::TakeConnection(std::string_view value) {
  while (!value.empty()) {
    const size_t comma = std::min(value.find(','), value.size());
    const std::string_view option = TrimOws(value.substr(0, comma));
    value.remove_prefix(std::min(comma + 1, value.size()));
    if (option.empty()) continue;
    if (!IsToken(option)) return ParseError::kBadConnection;
    if (EqualsLower(option, "close")) {
      close = true;
    } else if (EqualsLower(option, "keep-alive")) {
      keep_alive = true;
    } else if (EqualsLower(option, "upgrade")) {
      upgrade_named = true;
    } else {
      names_fields = true;
    }
  }
  return ParseError::kNone;
}

}  // namespace sluice::http
