// RequestParser of h1_parser.h.
#include "dataplane/http/char_class.h"
#include "dataplane/http/h1_parser.h"
#include "dataplane/http/target.h"

namespace sluice::http {

// Member by member: assigning a new object costs a fifth of parsing a small head.
void RequestParser::Reset(const HeadLimits& limits) {
  limits_ = limits;
  line_.Reset();
  framing_ = {};
  base_ = 0;
  error_ = ParseError::kNone;
  in_fields_ = has_host_ = has_expect_ = has_authorization_ = false;
}

ParseResult RequestParser::Fail(ParseError error) {
  error_ = error;
  return ParseResult::kError;
}

ParseResult RequestParser::Parse(std::string_view bytes, RequestHead* head) {
  if (error_ != ParseError::kNone) return ParseResult::kError;
  // Nothing beyond the limit is looked at, so that the answer does not depend on how bytes arrive.
  const bool beyond_limit = bytes.size() > limits_.head_bytes;
  if (beyond_limit) bytes = bytes.substr(0, limits_.head_bytes);

  ParseResult result = ParseResult::kDone;
  if (!in_fields_) {
    result = line_.Take(bytes, limits_.target_bytes, head);
    if (result == ParseResult::kError) return Fail(line_.error());
    if (result == ParseResult::kDone) {
      in_fields_ = true;
      fields_.Reset(line_.position());
      head->fields.clear();
    }
  }
  if (result == ParseResult::kDone) result = ParseFields(bytes, head);
  if (result == ParseResult::kNeedMore && beyond_limit) return Fail(ParseError::kHeadTooLarge);
  return result;
}

ParseResult RequestParser::ParseFields(std::string_view bytes, RequestHead* head) {
  const auto base = reinterpret_cast<uintptr_t>(bytes.data());
  if (base != base_) Rebase(base_, bytes.data(), &head->fields);
  base_ = base;

  for (;;) {
    switch (fields_.Take(bytes, &head->fields)) {
      case FieldScanner::Next::kField: {
        if (head->fields.size() > limits_.fields) return Fail(ParseError::kTooManyFields);
        if (head->fields.back().id == FieldId::kOther) break;
        if (const ParseError error = TakeKnownField(*head); error != ParseError::kNone) {
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

// The last field of `head`.
ParseError RequestParser::TakeKnownField(const RequestHead& head) {
  const Field& field = head.fields.back();
  switch (field.id) {
    case FieldId::kHost:
      if (has_host_) return ParseError::kBadHost;
      has_host_ = true;
      host_at_ = head.fields.size() - 1;
      return field.value.empty() || IsValidAuthority(field.value) ? ParseError::kNone
                                                                  : ParseError::kBadHost;
    case FieldId::kExpect:
      // Whoever takes a mangled expectation for none waits for what never comes, or is smuggled
      // past.
      if (has_expect_ || !EqualsLower(field.value, "100-continue")) return ParseError::kBadExpect;
      has_expect_ = true;
      return ParseError::kNone;
    case FieldId::kAuthorization:
      // Whoever checks the one must not be followed by a service that believes the other (RFC 9110
      // section 11.6.2 knows one).
      if (has_authorization_) return ParseError::kBadField;
      has_authorization_ = true;
      return ParseError::kNone;
    default:
      return framing_.Take(field);
  }
}

ParseError RequestParser::Finish(std::string_view bytes, RequestHead* head) {
  line_.SetViews(bytes, head);
  head->host = has_host_ ? head->fields[host_at_].value : std::string_view();
  const bool http11 = head->minor_version > 0;
  // RFC 9112 section 3.2. Only targets that name their authority, or none at all, do without a
  // value.
  if (!has_host_ && http11) return ParseError::kBadHost;
  if (has_host_ && head->host.empty() && head->target.front() == '/') return ParseError::kBadHost;
  // HTTP/1.0 knows no transfer codings; some recipient would take the body for a request.
  if (framing_.has_encoding && !http11) return ParseError::kBadTransferEncoding;

  head->content_length = framing_.content_length;
  head->has_content_length = framing_.has_length;
  head->framing = Framing::kNone;
  if (framing_.has_encoding) head->framing = Framing::kChunked;
  if (framing_.content_length > 0) head->framing = Framing::kLength;
  head->keep_alive = !framing_.close && (http11 || framing_.keep_alive);
  // HTTP/1.0 knows neither (RFC 9110 sections 7.8 and 10.1.1).
  head->has_upgrade = http11 && framing_.has_upgrade && framing_.upgrade_named;
  head->expect_continue = http11 && has_expect_;
  head->connection_names_fields = framing_.names_fields;
  return ParseError::kNone;
}

}  // namespace sluice::http
