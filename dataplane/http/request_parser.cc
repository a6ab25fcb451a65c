// RequestParser of h1_parser.h.
#include "dataplane/http/char_class.h"
#include "dataplane/http/field_line.h"
#include "dataplane/http/framing.h"
#include "dataplane/http/h1_parser.h"
#include "dataplane/http/target.h"

namespace sluice::http {
namespace {

// Longest method that is taken; the registry's longest is 17 (UPDATEREDIRECTREF).
constexpr size_t kMethodCharsMax = 32;

Method MethodOf(std::string_view text) {
  switch (text.size()) {
    case 3:
      if (text == "GET") return Method::kGet;
      if (text == "PUT") return Method::kPut;
      break;
    case 4:
      if (text == "POST") return Method::kPost;
      if (text == "HEAD") return Method::kHead;
      break;
    case 5:
      if (text == "PATCH") return Method::kPatch;
      if (text == "TRACE") return Method::kTrace;
      break;
    case 6:
      if (text == "DELETE") return Method::kDelete;
      break;
    case 7:
      if (text == "OPTIONS") return Method::kOptions;
      if (text == "CONNECT") return Method::kConnect;
      break;
    default:
      break;
  }
  return Method::kOther;
}

// "HTTP/" DIGIT "." DIGIT (RFC 9112 section 2.3), and of those only 1.0 and 1.1.
ParseError VersionOf(std::string_view text, uint8_t* minor) {
  if (text.size() != 8 || !text.starts_with("HTTP/") || !IsDigit(text[5]) || text[6] != '.' ||
      !IsDigit(text[7])) {
    return ParseError::kBadVersion;
  }
  if (text[5] != '1' || text[7] > '1') return ParseError::kUnsupportedVersion;
  *minor = static_cast<uint8_t>(text[7] - '0');
  return ParseError::kNone;
}

}  // namespace

void RequestParser::Reset(const HeadLimits& limits) {
  limits_ = limits;
  lines_.Reset();
  base_ = nullptr;
  empty_lines_ = 0;
  error_ = ParseError::kNone;
  started_ = in_fields_ = false;
}

ParseResult RequestParser::Fail(ParseError error) {
  error_ = error;
  return ParseResult::kError;
}

ParseResult RequestParser::Parse(std::string_view bytes, RequestHead* head) {
  if (in_fields_ && base_ != bytes.data()) {
    Rebase(base_, bytes.data(), &head->method_text);
    Rebase(base_, bytes.data(), &head->target);
    for (Field& field : head->fields) Rebase(base_, bytes.data(), &field);
  }
  base_ = bytes.data();
  for (;;) {
    std::string_view line;
    switch (lines_.Take(bytes, &line)) {
      case LineScanner::Next::kBad:
        return Fail(in_fields_ ? ParseError::kBadField : ParseError::kBadRequestLine);
      case LineScanner::Next::kPartial:
        return CheckPartial(bytes);
      case LineScanner::Next::kLine:
        break;
    }
    if (lines_.consumed() > limits_.head_bytes) return Fail(ParseError::kHeadTooLarge);
    if (!in_fields_) {
      if (line.empty()) {
        if (++empty_lines_ > kEmptyLinesMax) return Fail(ParseError::kBadRequestLine);
        continue;
      }
      started_ = true;
      if (const ParseError error = TakeRequestLine(line, head); error != ParseError::kNone) {
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

// Limits hold for what has not ended yet, too.
ParseResult RequestParser::CheckPartial(std::string_view bytes) {
  const std::string_view partial = bytes.substr(lines_.consumed());
  if (!in_fields_ && !partial.empty() && partial != "\r") {
    started_ = true;
    const size_t method_end = partial.find(' ');
    const std::string_view method = partial.substr(0, method_end);
    if (!IsToken(method) || method.size() > kMethodCharsMax) {
      return Fail(ParseError::kBadMethod);
    }
    if (partial.size() > limits_.target_bytes + kMethodCharsMax + 16) {
      return Fail(ParseError::kTargetTooLong);
    }
  }
  if (bytes.size() > limits_.head_bytes) return Fail(ParseError::kHeadTooLarge);
  return ParseResult::kNeedMore;
}

ParseError RequestParser::TakeRequestLine(std::string_view line, RequestHead* head) {
  const size_t first = line.find(' ');
  const size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  const std::string_view method = line.substr(0, first);
  if (!IsToken(method) || method.size() > kMethodCharsMax) return ParseError::kBadMethod;
  if (second == std::string_view::npos) return ParseError::kBadRequestLine;
  head->method_text = method;
  head->method = MethodOf(method);
  head->target = line.substr(first + 1, second - first - 1);
  if (head->target.size() > limits_.target_bytes) return ParseError::kTargetTooLong;
  if (!IsValidTarget(head->target, head->method)) return ParseError::kBadTarget;
  return VersionOf(line.substr(second + 1), &head->minor_version);
}

ParseError RequestParser::Finish(RequestHead* head) {
  FramingFields framing;
  bool has_host = false;
  head->host = {};
  head->expect_continue = false;
  for (const Field& field : head->fields) {
    if (field.id == FieldId::kOther) continue;
    if (field.id == FieldId::kHost) {
      if (has_host) return ParseError::kBadHost;
      has_host = true;
      head->host = field.value;
      if (!IsValidAuthority(field.value)) return ParseError::kBadHost;
    } else if (field.id == FieldId::kExpect) {
      if (!EqualsLower(field.value, "100-continue")) return ParseError::kBadExpect;
      head->expect_continue = head->minor_version > 0;
    } else if (const ParseError error = framing.Take(field); error != ParseError::kNone) {
      return error;
    }
  }
  // RFC 9112 section 3.2.
  if (!has_host && head->minor_version > 0) return ParseError::kBadHost;
  // HTTP/1.0 knows no transfer codings; some recipient would take the body for a request.
  if (framing.has_encoding && head->minor_version == 0) return ParseError::kBadTransferEncoding;
  head->content_length = framing.content_length;
  head->framing = framing.has_encoding ? Framing::kChunked
                  : framing.has_length && framing.content_length > 0 ? Framing::kLength
                                                                     : Framing::kNone;
  head->has_content_length = framing.has_length;
  head->keep_alive = !framing.close && (head->minor_version > 0 || framing.keep_alive);
  head->has_upgrade = framing.has_upgrade && framing.upgrade_named;
  head->connection_names_fields = framing.names_fields;
  return ParseError::kNone;
}

}  // namespace sluice::http
