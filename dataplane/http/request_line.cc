#include "dataplane/http/request_line.h"

#include <algorithm>

#include "dataplane/http/char_class.h"
#include "dataplane/http/target.h"

namespace sluice::http {

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

namespace {

// "HTTP/" DIGIT "." DIGIT CRLF (RFC 9112 section 2.3).
constexpr std::string_view kVersion11 = "HTTP/1.1\r\n";
constexpr size_t kMajorAt = 5, kMinorAt = 7, kCrAt = 8;

}  // namespace

ParseResult RequestLineScanner::Take(std::string_view bytes, uint32_t target_bytes_max,
                                     RequestHead* head) {
  ParseResult result = ParseResult::kDone;
  switch (phase_) {
    case Phase::kEmptyLines:
      if (result = TakeEmptyLines(bytes); result != ParseResult::kDone) return result;
      [[fallthrough]];
    case Phase::kMethod:
      if (result = TakeMethod(bytes, head); result != ParseResult::kDone) return result;
      [[fallthrough]];
    case Phase::kTarget:
      if (result = TakeTarget(bytes, target_bytes_max, head); result != ParseResult::kDone) {
        return result;
      }
      [[fallthrough]];
    case Phase::kVersion:
      return TakeVersion(bytes, head);
  }
  __builtin_unreachable();
}

ParseResult RequestLineScanner::TakeEmptyLines(std::string_view bytes) {
  while (scanned_ < bytes.size()) {
    if (bytes[scanned_] != '\r') {
      phase_ = Phase::kMethod;
      method_begin_ = scanned_;
      return ParseResult::kDone;
    }
    if (empty_lines_ == kEmptyLinesMax) return Fail(ParseError::kBadRequestLine);
    if (scanned_ + 1 == bytes.size()) return ParseResult::kNeedMore;
    if (bytes[scanned_ + 1] != '\n') return Fail(ParseError::kBadRequestLine);
    ++empty_lines_;
    scanned_ += 2;
  }
  return ParseResult::kNeedMore;
}

ParseResult RequestLineScanner::TakeMethod(std::string_view bytes, RequestHead* head) {
  const size_t end = std::min(bytes.size(), method_begin_ + kMethodBytesMax + 1);
  while (scanned_ < end && IsTokenChar(bytes[scanned_])) ++scanned_;
  const size_t length = scanned_ - method_begin_;
  if (length > kMethodBytesMax) return Fail(ParseError::kBadMethod);
  if (scanned_ == bytes.size()) return ParseResult::kNeedMore;
  if (bytes[scanned_] != ' ' || length == 0) return Fail(ParseError::kBadMethod);
  head->method = MethodOf(bytes.substr(method_begin_, length));
  method_end_ = scanned_++;
  phase_ = Phase::kTarget;
  return ParseResult::kDone;
}

ParseResult RequestLineScanner::TakeTarget(std::string_view bytes, uint32_t target_bytes_max,
                                           RequestHead* head) {
  const size_t begin = method_end_ + 1;
  const size_t end = std::min<size_t>(bytes.size(), begin + target_bytes_max + 1);
  scanned_ = static_cast<size_t>(FindTargetEnd(bytes.data() + scanned_, bytes.data() + end) -
                                 bytes.data());
  const size_t length = scanned_ - begin;
  if (length > target_bytes_max) return Fail(ParseError::kTargetTooLong);
  if (scanned_ == bytes.size()) return ParseResult::kNeedMore;
  if (bytes[scanned_] != ' ') {
    // Without a version, as in HTTP/0.9, the line is wrong rather than the target.
    return Fail(bytes[scanned_] == '\r' || bytes[scanned_] == '\n' ? ParseError::kBadRequestLine
                                                                   : ParseError::kBadTarget);
  }
  if (!HasTargetForm(bytes.substr(begin, length), head->method)) {
    return Fail(ParseError::kBadTarget);
  }
  target_end_ = scanned_++;
  phase_ = Phase::kVersion;
  return ParseResult::kDone;
}

ParseResult RequestLineScanner::TakeVersion(std::string_view bytes, RequestHead* head) {
  const size_t begin = target_end_ + 1;
  const std::string_view version = bytes.substr(begin, kVersion11.size());
  if (version == kVersion11) {
    head->minor_version = 1;
    scanned_ = begin + version.size();
    return ParseResult::kDone;
  }
  for (size_t i = scanned_ - begin; i < version.size(); ++i) {
    const bool digit = i == kMajorAt || i == kMinorAt;
    if (digit ? !IsDigit(version[i]) : version[i] != kVersion11[i]) {
      // A line that ends too early, or not as it should, is wrong as a line.
      const bool line_end = i > kCrAt || version[i] == '\r' || version[i] == '\n';
      return Fail(line_end ? ParseError::kBadRequestLine : ParseError::kBadVersion);
    }
  }
  scanned_ = begin + version.size();
  if (version.size() < kVersion11.size()) return ParseResult::kNeedMore;
  if (version[kMajorAt] != '1' || version[kMinorAt] > '1') {
    return Fail(ParseError::kUnsupportedVersion);
  }
  head->minor_version = static_cast<uint8_t>(version[kMinorAt] - '0');
  return ParseResult::kDone;
}

}  // namespace sluice::http
