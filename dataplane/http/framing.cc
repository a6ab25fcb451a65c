#include "dataplane/http/framing.h"

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

// Exactly one field with digits only. Lists are refused even where all values agree: whoever sends them
// has merged two messages.
ParseError FramingFields::TakeLength(std::string_view value) {
  if (has_length || value.empty() || value.size() > 19) return ParseError::kBadContentLength;
  has_length = true;
  for (const char c : value) {
    if (!IsDigit(c)) return ParseError::kBadContentLength;
    content_length = content_length * 10 + static_cast<uint64_t>(c - '0');
  }
  return has_encoding ? ParseError::kBothLengthAndEncoding : ParseError::kNone;
}

ParseError FramingFields::TakeEncoding(std::string_view value) {
  if (has_encoding) return ParseError::kBadTransferEncoding;
  has_encoding = true;
  if (has_length) return ParseError::kBothLengthAndEncoding;
  if (EqualsLower(value, "chunked")) return ParseError::kNone;
  // A coding we do not have is 501, a list that is wrong in itself is 400 (RFC 9112 section 6.1).
  return IsToken(value) ? ParseError::kUnknownTransferCoding : ParseError::kBadTransferEncoding;
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
