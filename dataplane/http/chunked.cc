#include "dataplane/http/chunked.h"

#include <algorithm>

#include "dataplane/http/char_class.h"
#include "dataplane/http/field_line.h"

namespace sluice::http {
namespace {

// 16 hex digits would do; leading zeros beyond that hide something.
constexpr uint8_t kSizeDigitsMax = 16;

// chunk-ext = *( ";" token [ "=" ( token / quoted-string ) ] ), no whitespace (RFC 9112 section 7.1.1).
bool IsValidExtension(std::string_view text) {
  while (!text.empty()) {
    if (text.front() != ';') return false;
    text.remove_prefix(1);
    size_t name = 0;
    while (name < text.size() && IsTokenChar(text[name])) ++name;
    if (name == 0) return false;
    text.remove_prefix(name);
    if (text.empty() || text.front() != '=') continue;
    text.remove_prefix(1);
    size_t value = 0;
    if (!text.empty() && text.front() == '"') {
      for (value = 1; value < text.size() && text[value] != '"'; ++value) {
        if (text[value] == '\\') ++value;
      }
      if (value >= text.size()) return false;
      ++value;
    } else {
      while (value < text.size() && IsTokenChar(text[value])) ++value;
      if (value == 0) return false;
    }
    text.remove_prefix(value);
  }
  return true;
}

bool MayBeTrailer(const Field& field) {
  switch (field.id) {
    case FieldId::kOther:
    case FieldId::kDate:
    case FieldId::kServer:
      break;
    default:
      return false;
  }
  constexpr std::string_view kForbidden[] = {
      "authorization", "cache-control", "content-encoding", "content-type", "content-range",
      "set-cookie",    "www-authenticate", "age", "expires", "location", "range", "max-forwards",
      "pragma", "vary", "warning", "retry-after"};
  for (const std::string_view name : kForbidden) {
    if (EqualsLower(field.name, name)) return false;
  }
  return !(field.name.size() >= 3 && EqualsLower(field.name.substr(0, 3), "if-"));
}

}  // namespace

void ChunkedDecoder::Reset(const HeadLimits& limits) {
  limits_ = limits;
  phase_ = Phase::kSize;
  error_ = ParseError::kNone;
  size_digits_ = 0;
  chunk_bytes_ = overhead_bytes_ = 0;
  line_.clear();
  trailers_.clear();
}

ChunkedDecoder::Step ChunkedDecoder::Fail(ParseError error, size_t consumed) {
  phase_ = Phase::kError;
  error_ = error;
  return {State::kError, consumed, {}};
}

ChunkedDecoder::Step ChunkedDecoder::Next(std::string_view input) {
  size_t at = 0;
  while (at < input.size()) {
    switch (phase_) {
      case Phase::kSize:
      case Phase::kSizeLine:
        if (!TakeSizeByte(input[at])) return Fail(ParseError::kBadChunk, at);
        ++at;
        break;
      case Phase::kData: {
        const size_t bytes =
            static_cast<size_t>(std::min<uint64_t>(chunk_bytes_, input.size() - at));
        chunk_bytes_ -= bytes;
        if (chunk_bytes_ == 0) phase_ = Phase::kDataCr;
        return {State::kData, at + bytes, input.substr(at, bytes)};
      }
      case Phase::kDataCr:
        if (input[at++] != '\r') return Fail(ParseError::kBadChunk, at);
        phase_ = Phase::kDataLf;
        break;
      case Phase::kDataLf:
        if (input[at++] != '\n') return Fail(ParseError::kBadChunk, at);
        phase_ = Phase::kSize;
        size_digits_ = 0;
        break;
      case Phase::kTrailers:
        if (!TakeTrailerByte(input[at])) return Fail(ParseError::kBadTrailer, at);
        ++at;
        break;
      case Phase::kDone:
        return {State::kDone, at, {}};
      case Phase::kError:
        return {State::kError, at, {}};
    }
  }
  if (phase_ == Phase::kDone) return {State::kDone, at, {}};
  if (phase_ == Phase::kError) return {State::kError, at, {}};
  return {State::kNeedMore, at, {}};
}

bool ChunkedDecoder::TakeSizeByte(char c) {
  if (phase_ == Phase::kSize) {
    const int digit = HexValue(c);
    if (digit >= 0) {
      if (++size_digits_ > kSizeDigitsMax) return false;
      chunk_bytes_ = (size_digits_ == 1 ? 0 : chunk_bytes_) << 4 | static_cast<uint64_t>(digit);
      return true;
    }
    if (size_digits_ == 0 || (c != ';' && c != '\r')) return false;
    phase_ = Phase::kSizeLine;
    line_.clear();
    // Falls to the rest of the line.
  }
  if (c == '\n') return !line_.empty() && line_.back() == '\r' && FinishSizeLine();
  if (!line_.empty() && line_.back() == '\r') return false;  // A bare CR.
  if (c != '\r' && !IsFieldValueChar(c)) return false;
  if (++overhead_bytes_ > limits_.head_bytes) return false;
  line_.push_back(c);
  return true;
}

bool ChunkedDecoder::FinishSizeLine() {
  line_.pop_back();
  if (!IsValidExtension(line_)) return false;
  line_.clear();
  // A last chunk may be written with several zeros.
  phase_ = chunk_bytes_ == 0 ? Phase::kTrailers : Phase::kData;
  return true;
}

bool ChunkedDecoder::TakeTrailerByte(char c) {
  const bool after_cr = !line_.empty() && line_.back() == '\r';
  if (c == '\n') {
    if (!after_cr) return false;
    line_.push_back(c);
    const bool empty_line = line_ == "\r\n" || line_.ends_with("\r\n\r\n");
    return !empty_line || FinishTrailers();
  }
  if (after_cr || (c != '\r' && !IsFieldValueChar(c))) return false;
  if (++overhead_bytes_ > limits_.head_bytes) return false;
  line_.push_back(c);
  return true;
}

bool ChunkedDecoder::FinishTrailers() {
  std::string_view rest = line_;
  uint32_t count = 0;
  while (rest != "\r\n") {
    const size_t end = rest.find("\r\n");
    Field field;
    if (++count > limits_.fields || !ParseFieldLine(rest.substr(0, end), &field)) return false;
    if (MayBeTrailer(field)) trailers_.push_back(field);
    rest.remove_prefix(end + 2);
  }
  phase_ = Phase::kDone;
  return true;
}

}  // namespace sluice::http
