// ResponseParser of h1_parser.h.
#include <algorithm>

#include "dataplane/http/char_class.h"
#include "dataplane/http/h1_parser.h"

namespace sluice::http {
namespace {

// HTTP-version SP status-code [ SP [ reason-phrase ] ] CRLF (RFC 9112 section 4); many servers
// leave out the last space with the reason.
constexpr std::string_view kStart = "HTTP/1.";
constexpr size_t kMinorAt = 7, kSpaceAt = 8, kStatusAt = 9, kReasonSpaceAt = 12;

bool MayStandAt(size_t at, char c) {
  if (at < kMinorAt) return c == kStart[at];
  if (at == kMinorAt) return c == '0' || c == '1';
  if (at == kSpaceAt) return c == ' ';
  if (at == kStatusAt) return c >= '1' && c <= '5';
  if (at < kReasonSpaceAt) return IsDigit(c);
  return c == ' ' || c == '\r';
}

// Keep-Alive: timeout=5, max=100 (RFC 2068 section 19.7.1.1). What is not understood is no hint.
uint32_t TimeoutHint(std::string_view value) {
  constexpr std::string_view kName = "timeout=";
  constexpr uint32_t kSecondsMax = 100'000;
  while (!value.empty()) {
    const size_t comma = std::min(value.find(','), value.size());
    const std::string_view parameter = TrimOws(value.substr(0, comma));
    value.remove_prefix(std::min(comma + 1, value.size()));
    if (!EqualsLower(parameter.substr(0, kName.size()), kName)) continue;
    uint32_t seconds = 0;
    for (const char c : parameter.substr(kName.size())) {
      if (!IsDigit(c)) return 0;
      seconds = std::min(seconds * 10 + static_cast<uint32_t>(c - '0'), kSecondsMax);
    }
    return seconds;
  }
  return 0;
}

}  // namespace

void ResponseParser::Reset(const HeadLimits& limits, Method request_method) {
  limits_ = limits;
  request_method_ = request_method;
  scanned_ = 0;
  framing_ = {};
  base_ = 0;
  error_ = ParseError::kNone;
  keep_alive_timeout_seconds_ = 0;
  in_fields_ = false;
}

ParseResult ResponseParser::Fail(ParseError error) {
  error_ = error;
  return ParseResult::kError;
}

ParseResult ResponseParser::Parse(std::string_view bytes, ResponseHead* head) {
  if (error_ != ParseError::kNone) return ParseResult::kError;
  // Nothing beyond the limit is looked at, so that the answer does not depend on how bytes arrive.
  const bool beyond_limit = bytes.size() > limits_.head_bytes;
  if (beyond_limit) bytes = bytes.substr(0, limits_.head_bytes);

  ParseResult result = in_fields_ ? ParseResult::kDone : ParseStatusLine(bytes, head);
  if (result == ParseResult::kDone) result = ParseFields(bytes, head);
  if (result == ParseResult::kNeedMore && beyond_limit) return Fail(ParseError::kHeadTooLarge);
  return result;
}

ParseResult ResponseParser::ParseStatusLine(std::string_view bytes, ResponseHead* head) {
  for (; scanned_ <= kReasonSpaceAt; ++scanned_) {
    if (scanned_ == bytes.size()) return ParseResult::kNeedMore;
    if (!MayStandAt(scanned_, bytes[scanned_])) return Fail(ParseError::kBadStatusLine);
  }
  // From the byte after the status on: the CR may be there already.
  const char* const end = bytes.data() + bytes.size();
  const char* const cr = FindFieldValueEnd(
      bytes.data() + (bytes[kReasonSpaceAt] == '\r' ? kReasonSpaceAt : scanned_), end);
  scanned_ = static_cast<size_t>(cr - bytes.data());
  if (cr == end) return ParseResult::kNeedMore;
  if (*cr != '\r') return Fail(ParseError::kBadStatusLine);
  if (cr + 1 == end) return ParseResult::kNeedMore;
  if (cr[1] != '\n') return Fail(ParseError::kBadStatusLine);

  head->minor_version = static_cast<uint8_t>(bytes[kMinorAt] - '0');
  head->status =
      static_cast<uint16_t>((bytes[kStatusAt] - '0') * 100 + (bytes[kStatusAt + 1] - '0') * 10 +
                            (bytes[kStatusAt + 2] - '0'));
  reason_end_ = scanned_;
  in_fields_ = true;
  fields_.Reset(scanned_ + 2);
  head->fields.clear();
  return ParseResult::kDone;
}

ParseResult ResponseParser::ParseFields(std::string_view bytes, ResponseHead* head) {
  const auto base = reinterpret_cast<uintptr_t>(bytes.data());
  if (base != base_) Rebase(base_, bytes.data(), &head->fields);
  base_ = base;

  for (;;) {
    switch (fields_.Take(bytes, &head->fields)) {
      case FieldScanner::Next::kField: {
        if (head->fields.size() > limits_.fields) return Fail(ParseError::kTooManyFields);
        const Field& field = head->fields.back();
        if (field.id == FieldId::kOther) break;
        if (field.id == FieldId::kKeepAlive) {
          keep_alive_timeout_seconds_ = TimeoutHint(field.value);
        } else if (const ParseError error = framing_.Take(field); error != ParseError::kNone) {
          return Fail(error);
        }
        break;
      }
      case FieldScanner::Next::kEnd: {
        const ParseError error = Finish(bytes, head);
        return error == ParseError::kNone ? ParseResult::kDone : Fail(error);
      }
      case FieldScanner::Next::kPartial:
        return ParseResult::kNeedMore;
      case FieldScanner::Next::kBad:
        return Fail(ParseError::kBadField);
    }
  }
}

// RFC 9112 section 6.3.
ParseError ResponseParser::Finish(std::string_view bytes, ResponseHead* head) {
  constexpr size_t kReasonAt = kReasonSpaceAt + 1;
  head->reason = reason_end_ > kReasonAt ? bytes.substr(kReasonAt, reason_end_ - kReasonAt)
                                         : std::string_view();
  head->keep_alive_timeout_seconds = keep_alive_timeout_seconds_;
  head->connection_names_fields = framing_.names_fields;
  head->content_length = framing_.content_length;
  head->keep_alive = !framing_.close && (head->minor_version > 0 || framing_.keep_alive);
  if (framing_.has_encoding && head->minor_version == 0) return ParseError::kBadTransferEncoding;

  const bool tells_body = framing_.has_encoding || framing_.content_length > 0;
  if (head->status < 200) {
    // The final response follows at once: bytes of a body would pass for it.
    if (tells_body) {
      return framing_.has_encoding ? ParseError::kBadTransferEncoding
                                   : ParseError::kBadContentLength;
    }
    head->framing = Framing::kNone;
  } else if (head->status == 204) {
    head->framing = Framing::kNone;
    // Must not be there (RFC 9110 section 8.6); what they announce may come all the same.
    if (tells_body) head->keep_alive = false;
  } else if (head->status == 304 || request_method_ == Method::kHead ||
             (request_method_ == Method::kConnect && head->status < 300)) {
    head->framing = Framing::kNone;
  } else if (framing_.has_encoding) {
    head->framing = Framing::kChunked;
  } else if (framing_.has_length) {
    head->framing = Framing::kLength;  // Of zero bytes, too: the field is passed on.
  } else {
    head->framing = Framing::kUntilClose;
  }
  return ParseError::kNone;
}

}  // namespace sluice::http
