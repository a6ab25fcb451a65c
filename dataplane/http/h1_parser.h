// Strict HTTP/1.x heads (RFC 9112), parsed in place.
//
// Hot path. Feed the same growing bytes again and again until kDone: work already done is not repeated,
// and the buffer may have moved between calls. Views of the head are made at kDone and point into the
// bytes of that call. Anything malformed is an error at the first byte that shows it.
#pragma once

#include "dataplane/http/message.h"

namespace sluice::http {

enum class ParseResult : uint8_t { kNeedMore, kDone, kError };

// The status the proxy answers (requests) is in the failure table, failure.h.
enum class ParseError : uint8_t {
  kNone,
  kBadRequestLine,
  kBadMethod,
  kBadTarget,
  kTargetTooLong,       // 414
  kBadVersion,          // 505 for a well-formed major version other than 1, else 400
  kUnsupportedVersion,
  kBadField,            // name, colon, value, fold, bare CR/LF, control bytes
  kTooManyFields,       // 431
  kHeadTooLarge,        // 431
  kBadHost,             // missing (1.1), repeated, malformed
  kBadContentLength,
  kBadTransferEncoding, // unknown coding: 501; repeated or not final: 400
  kUnknownTransferCoding,
  kBothLengthAndEncoding,
  kBadConnection,
  kBadExpect,           // 417
  kBadStatusLine,
  kBadChunk,
  kBadTrailer,
};

struct HeadLimits {
  uint32_t head_bytes = 64 * 1024;
  uint32_t target_bytes = 16 * 1024;
  uint32_t fields = 100;
};

// Cuts the bytes of a head into lines, each looked at once however the bytes arrive.
class LineScanner {
 public:
  void Reset() { line_begin_ = scanned_ = 0; }
  enum class Next : uint8_t { kLine, kPartial, kBad };
  // kLine: `*line` is the next line without its CRLF. kBad: a bare CR, bare LF or a byte that may stand in
  // no line; found in partial lines too, so that garbage is refused early.
  Next Take(std::string_view bytes, std::string_view* line);
  size_t consumed() const { return line_begin_; }

 private:
  size_t line_begin_ = 0;
  size_t scanned_ = 0;  // No line feed before this.
};

class RequestParser {
 public:
  // Forgets everything; `limits` hold for the next head. Keeps the capacity of heads it fills.
  void Reset(const HeadLimits& limits);

  // `bytes`: everything received since the head's first byte. At kDone, consumed() bytes were the head
  // (leading empty lines, RFC 9112 section 2.2, at most kEmptyLinesMax, included).
  ParseResult Parse(std::string_view bytes, RequestHead* head);

  size_t consumed() const { return lines_.consumed(); }
  ParseError error() const { return error_; }
  // Whether any byte but leading empty lines was seen (a timeout then is a 408, else a silent close).
  bool started() const { return started_; }

  static constexpr int kEmptyLinesMax = 4;

 private:
  ParseResult Fail(ParseError error);
  ParseResult CheckPartial(std::string_view bytes);
  ParseError TakeRequestLine(std::string_view line, RequestHead* head);
  ParseError Finish(RequestHead* head);

  HeadLimits limits_;
  LineScanner lines_;
  const char* base_ = nullptr;  // Where the bytes were at the last call.
  int empty_lines_ = 0;
  ParseError error_ = ParseError::kNone;
  bool started_ = false;
  bool in_fields_ = false;
};

class ResponseParser {
 public:
  // `request_method` decides whether a body may follow (HEAD, CONNECT).
  void Reset(const HeadLimits& limits, Method request_method);
  ParseResult Parse(std::string_view bytes, ResponseHead* head);
  size_t consumed() const { return lines_.consumed(); }
  ParseError error() const { return error_; }

 private:
  ParseResult Fail(ParseError error);
  ParseError TakeStatusLine(std::string_view line, ResponseHead* head);
  ParseError Finish(ResponseHead* head);

  HeadLimits limits_;
  LineScanner lines_;
  const char* base_ = nullptr;
  Method request_method_ = Method::kGet;
  ParseError error_ = ParseError::kNone;
  bool in_fields_ = false;
};

}  // namespace sluice::http
