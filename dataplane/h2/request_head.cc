#include "dataplane/h2/request_head.h"

#include "dataplane/http/char_class.h"
#include "dataplane/http/field_id.h"
#include "dataplane/http/framing.h"
#include "dataplane/http/request_line.h"
#include "dataplane/http/target.h"

namespace sluice::h2 {

using http::Field;
using http::FieldId;
using http::ParseError;

namespace {

ParseError TakePseudo(std::string_view name, std::string_view value, PseudoFields* pseudo,
                      http::RequestHead* head) {
  if (name == ":method") {
    head->method_text = value;
    head->method = http::MethodOf(value);
    const bool good =
        http::IsToken(value) && value.size() <= http::RequestLineScanner::kMethodBytesMax;
    return good ? ParseError::kNone : ParseError::kBadMethod;
  }
  if (name == ":path") {
    head->target = value;
  } else if (name == ":scheme") {
    pseudo->scheme = value;
  } else if (name == ":authority") {
    pseudo->authority = value;
  } else if (name == ":protocol") {
    pseudo->protocol = value;
  } else {
    return ParseError::kBadField;
  }
  return ParseError::kNone;
}

// Crumbs of one cookie go on as one field.
void TakeCookie(std::string_view value, std::string* cookie) {
  if (!cookie->empty()) cookie->append("; ");
  cookie->append(value);
}

ParseError CheckTarget(const PseudoFields& pseudo, const http::RequestHead& head) {
  if (head.method == http::Method::kConnect && pseudo.protocol.empty()) {
    return head.target.empty() && http::IsValidAuthority(pseudo.authority) ? ParseError::kNone
                                                                           : ParseError::kBadTarget;
  }
  if (pseudo.scheme != "http" && pseudo.scheme != "https") return ParseError::kBadTarget;
  // With :protocol, CONNECT has a path like any other request (RFC 8441 section 4).
  const http::Method method = pseudo.protocol.empty() ? head.method : http::Method::kGet;
  const bool asterisk = head.target == "*" && method == http::Method::kOptions;
  if (!asterisk && (head.target.empty() || head.target.front() != '/')) {
    return ParseError::kBadTarget;
  }
  return http::IsValidTarget(head.target, method) ? ParseError::kNone : ParseError::kBadTarget;
}

}  // namespace

ParseError ReadRequestHead(const FieldBlock& block, const RequestHeadLimits& limits, bool end,
                           std::string* cookie, PseudoFields* pseudo, http::RequestHead* head) {
  *pseudo = {};
  cookie->clear();
  head->fields.clear();
  head->method_text = head->target = head->host = {};
  head->method = http::Method::kOther;
  head->minor_version = 1;
  head->keep_alive = true;
  head->expect_continue = head->has_upgrade = head->connection_names_fields = false;
  http::FramingFields framing;
  bool has_host = false, has_authorization = false;
  for (size_t i = 0; i < block.count(); ++i) {
    const auto [name, value] = block[i];
    ParseError error = ParseError::kNone;
    if (name.empty() || name.front() == ':') {
      error = TakePseudo(name, value, pseudo, head);
      if (error != ParseError::kNone) return error;
      continue;
    }
    const Field field{name, value, http::IdentifyField(name)};
    switch (field.id) {
      case FieldId::kCookie:
        TakeCookie(value, cookie);
        continue;
      case FieldId::kHost:
        if (has_host) return ParseError::kBadHost;
        has_host = true;
        head->host = value;
        break;
      case FieldId::kExpect:
        if (head->expect_continue || !http::EqualsLower(value, "100-continue")) {
          return ParseError::kBadExpect;
        }
        head->expect_continue = true;
        break;
      case FieldId::kAuthorization:
        if (has_authorization) return ParseError::kBadField;  // As in HTTP/1.
        has_authorization = true;
        break;
      default:
        error = framing.Take(field);
    }
    if (error != ParseError::kNone) return error;
    head->fields.push_back(field);
  }
  if (!cookie->empty()) head->fields.push_back({"cookie", *cookie, FieldId::kCookie});
  if (head->target.size() > limits.target_bytes_max) return ParseError::kTargetTooLong;
  if (const ParseError error = CheckTarget(*pseudo, *head); error != ParseError::kNone) {
    return error;
  }
  // Whoever looks at the other one must not see another host (section 8.3.1).
  if (pseudo->authority.empty()) pseudo->authority = head->host;
  if (has_host && !http::EqualsIgnoreCase(head->host, pseudo->authority)) {
    return ParseError::kBadHost;
  }
  if (!http::IsValidAuthority(pseudo->authority)) return ParseError::kBadHost;
  head->host = pseudo->authority;

  if (framing.has_encoding || framing.has_upgrade) return ParseError::kBadField;
  head->content_length = framing.content_length;
  head->has_content_length = framing.has_length;
  if (!pseudo->protocol.empty()) {
    head->framing = http::Framing::kNone;  // What follows is the other protocol's.
    if (framing.has_length) return ParseError::kBadContentLength;
  } else if (end) {
    head->framing = http::Framing::kNone;
    if (framing.content_length > 0) return ParseError::kBadContentLength;
  } else {
    head->framing = framing.has_length && framing.content_length > 0 ? http::Framing::kLength
                                                                     : http::Framing::kChunked;
  }
  return ParseError::kNone;
}

}  // namespace sluice::h2
