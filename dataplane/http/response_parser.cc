// ResponseParser of h1_parser.h.
#include "dataplane/http/char_class.h"
#include "dataplane/http/field_line.h"
#include "dataplane/http/framing.h"
#include "dataplane/http/h1_parser.h"

namespace sluice::http {
namespace {

// Keep-Alive: timeout=5, max=100 (RFC 2068 section 19.7.1.1). What is not understood is no hint.
uint32_t TimeoutHint(std::string_view value) {
  const size_t at = value.find("timeout=");
  if (at == std::string_view::npos) return 0;
  uint32_t seconds = 0;
  for (size_t i = at + 8; i < value.size() && IsDigit(value[i]) && seconds < 100'000; ++i) {
    seconds = seconds * 10 + static_cast<uint32_t>(value[i] - '0');
  }
  return seconds;
}

}  // namespace

void ResponseParser::Reset(const HeadLimits& limits, Method request_method) {
  limits_ = limits;
  request_method_ = request_method;
  lines_.Reset();
  base_ = nullptr;
  error_ = ParseError::kNone;
  in_fields_ = false;
}

ParseResult ResponseParser::Fail(ParseError error) {
  error_ = error;
  return ParseResult::kError;
}

ParseError ResponseParser::TakeStatusLine(std::string_view line, ResponseHead* head) {
  // HTTP-version SP status-code SP [ reason-phrase ]; the last space is often left out.
  if (line.size() < 12 || !line.starts_with("HTTP/1.") || (line[7] != '0' && line[7] != '1') ||
      line[8] != ' ' || !IsDigit(line[9]) || !IsDigit(line[10]) || !IsDigit(line[11]) ||
      (line.size() > 12 && line[12] != ' ')) {
    return ParseError::kBadStatusLine;
  }
  head->minor_version = static_cast<uint8_t>(line[7] - '0');
  const int status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  if (status < 100 || status > 599) return ParseError::kBadStatusLine;
  head->status = static_cast<uint16_t>(status);
  head->reason = line.size() > 13 ? line.substr(13) : std::string_view();
  return ParseError::kNone;
}

ParseResult ResponseParser::Parse(std::string_view bytes, ResponseHead* head) {
  if (in_fields_ && base_ != bytes.data()) {
    Rebase(base_, bytes.data(), &head->reason);
    for (Field& field : head->fields) Rebase(base_, bytes.data(), &field);
  }
  base_ = bytes.data();
  for (;;) {
    std::string_view line;
    switch (lines_.Take(bytes, &line)) {
      case LineScanner::Next::kBad:
        return Fail(in_fields_ ? ParseError::kBadField : ParseError::kBadStatusLine);
      case LineScanner::Next::kPartial: {
        constexpr std::string_view kStart = "HTTP/1.";
        const size_t known = std::min(bytes.size(), kStart.size());
        if (!in_fields_ && bytes.substr(0, known) != kStart.substr(0, known)) {
          return Fail(ParseError::kBadStatusLine);
        }
        if (bytes.size() > limits_.head_bytes) return Fail(ParseError::kHeadTooLarge);
        return ParseResult::kNeedMore;
      }
      case LineScanner::Next::kLine:
        break;
    }
    if (lines_.consumed() > limits_.head_bytes) return Fail(ParseError::kHeadTooLarge);
    if (!in_fields_) {
      if (const ParseError error = TakeStatusLine(line, head); error != ParseError::kNone) {
        return Fail(error);
      }
      in_fields_ = true;
      head->fields.clear();
      continue;
    }
    if (line.empty()) {
      const ParseError error = Finish(head);
      return error == ParseError::kNone ? ParseResult::kDone : Fail(error);
    }
    if (head->fields.size() >= limits_.fields) return Fail(ParseError::kTooManyFields);
    if (!ParseFieldLine(line, &head->fields.emplace_back())) return Fail(ParseError::kBadField);
  }
}

// RFC 9112 section 6.3.
ParseError ResponseParser::Finish(ResponseHead* head) {
  FramingFields framing;
  head->keep_alive_timeout_seconds = 0;
  for (const Field& field : head->fields) {
    if (field.id == FieldId::kOther) continue;
    if (field.id == FieldId::kKeepAlive) head->keep_alive_timeout_seconds = TimeoutHint(field.value);
    if (const ParseError error = framing.Take(field); error != ParseError::kNone) return error;
  }
  if (framing.has_encoding && head->minor_version == 0) return ParseError::kBadTransferEncoding;
  head->content_length = framing.content_length;
  const bool bodiless = head->status < 200 || head->status == 204 || head->status == 304 ||
                        request_method_ == Method::kHead;
  if (bodiless) {
    head->framing = Framing::kNone;
  } else if (framing.has_encoding) {
    head->framing = Framing::kChunked;
  } else if (framing.has_length) {
    head->framing = Framing::kLength;
  } else {
    head->framing = Framing::kUntilClose;
  }
  head->keep_alive = !framing.close && (head->minor_version > 0 || framing.keep_alive);
  head->connection_names_fields = framing.names_fields;
  return ParseError::kNone;
}

}  // namespace sluice::http
