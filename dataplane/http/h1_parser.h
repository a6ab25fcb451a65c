// Strict HTTP/1.x heads (RFC 9112), parsed in place.
//
// Hot path. Feed the same growing bytes again and again until kDone: work already done is not
// repeated, and the buffer may have moved between calls. Views of the head are good at kDone and
// point into the bytes of that call. Anything malformed is an error at the first byte that shows
// it.
#pragma once

#include "dataplane/http/field_scanner.h"
#include "dataplane/http/framing.h"
#include "dataplane/http/message.h"
#include "dataplane/http/parse_error.h"
#include "dataplane/http/request_line.h"

namespace sluice::http {

class RequestParser {
 public:
  // Forgets everything; `limits` hold for the next head. Keeps the capacity of heads it fills.
  void Reset(const HeadLimits& limits);

  // `bytes`: everything received since the head's first byte. At kDone, consumed() bytes were the
  // head (leading empty lines, RFC 9112 section 2.2, at most kEmptyLinesMax, included). `head` is
  // the same in all calls for one head.
  ParseResult Parse(std::string_view bytes, RequestHead* head);

  size_t consumed() const { return in_fields_ ? fields_.position() : line_.position(); }
  ParseError error() const { return error_; }
  // Whether any byte but leading empty lines was seen (a timeout then is a 408, else a silent
  // close).
  bool started() const { return line_.started(); }

  static constexpr int kEmptyLinesMax = RequestLineScanner::kEmptyLinesMax;

 private:
  ParseResult Fail(ParseError error);
  ParseResult ParseFields(std::string_view bytes, RequestHead* head);
  ParseError TakeKnownField(const RequestHead& head);
  ParseError Finish(std::string_view bytes, RequestHead* head);

  HeadLimits limits_;
  RequestLineScanner line_;
  FieldScanner fields_;
  FramingFields framing_;
  uintptr_t base_ = 0;  // Where the bytes were at the last call.
  size_t host_at_ = 0;  // Index of the Host field, if has_host_.
  ParseError error_ = ParseError::kNone;
  bool in_fields_ = false;
  bool has_host_ = false;
  bool has_expect_ = false;
  bool has_authorization_ = false;
};

class ResponseParser {
 public:
  // `request_method` decides whether a body may follow (HEAD, CONNECT).
  void Reset(const HeadLimits& limits, Method request_method);
  ParseResult Parse(std::string_view bytes, ResponseHead* head);
  size_t consumed() const { return in_fields_ ? fields_.position() : scanned_; }
  ParseError error() const { return error_; }

 private:
  ParseResult Fail(ParseError error);
  ParseResult ParseStatusLine(std::string_view bytes, ResponseHead* head);
  ParseResult ParseFields(std::string_view bytes, ResponseHead* head);
  ParseError Finish(std::string_view bytes, ResponseHead* head);

  HeadLimits limits_;
  size_t scanned_ = 0;  // Of the status line.
  size_t reason_end_ = 0;
  FieldScanner fields_;
  FramingFields framing_;
  uintptr_t base_ = 0;
  Method request_method_ = Method::kGet;
  ParseError error_ = ParseError::kNone;
  uint32_t keep_alive_timeout_seconds_ = 0;
  bool in_fields_ = false;
};

}  // namespace sluice::http
