// What can be wrong with a message's bytes, and how much of them is taken at most.
#pragma once

#include <cstdint>

namespace sluice::http {

enum class ParseResult : uint8_t { kNeedMore, kDone, kError };

// The status the proxy answers (requests) is in the failure table, failure.h.
enum class ParseError : uint8_t {
  kNone,
  kBadRequestLine,
  kBadMethod,
  kBadTarget,
  kTargetTooLong,       // 414
  kBadVersion,          // 400
  kUnsupportedVersion,  // 505: well-formed, but neither 1.0 nor 1.1.
  kBadField,            // Name, colon, value, fold, bare CR or LF, control bytes.
  kTooManyFields,       // 431
  kHeadTooLarge,        // 431
  kBadHost,             // Missing (1.1), repeated, malformed.
  kBadContentLength,
  kBadTransferEncoding,    // Repeated, chunked not final, with HTTP/1.0: 400.
  kUnknownTransferCoding,  // Well-formed, but a coding we do not have: 501.
  kBothLengthAndEncoding,
  kBadConnection,
  kBadExpect,  // 417
  kBadStatusLine,
  kBadChunk,
  kBadTrailer,
};

// Heads and trailers beyond these are refused before they are held.
struct HeadLimits {
  uint32_t head_bytes = 64 * 1024;
  uint32_t target_bytes = 16 * 1024;
  uint32_t fields = 100;
};

}  // namespace sluice::http
