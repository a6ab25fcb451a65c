// Reads request lines (RFC 9112 section 3) and the empty lines that may stand before them, in
// place.
//
// On the hot path of h1_parser.h. Each byte is looked at once, however the bytes arrive; whatever
// cannot be the beginning of a request line is an error at its first impossible byte.
#pragma once

#include "dataplane/http/message.h"
#include "dataplane/http/parse_error.h"

namespace sluice::http {

// kOther for what is none of the methods known here. Letters have a case (RFC 9110 section 9.1).
Method MethodOf(std::string_view text);

class RequestLineScanner {
 public:
  void Reset() {
    scanned_ = 0;
    phase_ = Phase::kEmptyLines;
    empty_lines_ = 0;
    error_ = ParseError::kNone;
  }

  // `bytes` begins where it began in the last call and has at least as many bytes. At kDone method,
  // minor_version of `head` are set, and its views by SetViews.
  ParseResult Take(std::string_view bytes, uint32_t target_bytes_max, RequestHead* head);
  void SetViews(std::string_view bytes, RequestHead* head) const {
    head->method_text = bytes.substr(method_begin_, method_end_ - method_begin_);
    head->target = bytes.substr(method_end_ + 1, target_end_ - method_end_ - 1);
  }

  size_t position() const { return scanned_; }
  ParseError error() const { return error_; }
  // Whether any byte but empty lines was seen.
  bool started() const { return phase_ != Phase::kEmptyLines; }

  static constexpr int kEmptyLinesMax = 4;
  // The longest registered method has 17.
  static constexpr size_t kMethodBytesMax = 32;

 private:
  enum class Phase : uint8_t { kEmptyLines, kMethod, kTarget, kVersion };

  ParseResult Fail(ParseError error) {
    error_ = error;
    return ParseResult::kError;
  }
  // kDone: go on with the next phase.
  ParseResult TakeEmptyLines(std::string_view bytes);
  ParseResult TakeMethod(std::string_view bytes, RequestHead* head);
  ParseResult TakeTarget(std::string_view bytes, uint32_t target_bytes_max, RequestHead* head);
  ParseResult TakeVersion(std::string_view bytes, RequestHead* head);

  size_t scanned_ = 0;  // All before it is known to be good.
  size_t method_begin_ = 0;
  size_t method_end_ = 0;
  size_t target_end_ = 0;
  Phase phase_ = Phase::kEmptyLines;
  uint8_t empty_lines_ = 0;
  ParseError error_ = ParseError::kNone;
};

}  // namespace sluice::http
