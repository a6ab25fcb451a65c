// Decodes chunked bodies in place (RFC 9112 section 7.1): strict, and any split of the input gives
// the same.
//
// Hot path: a chunk costs its size line; only trailers are copied.
#pragma once

#include <string>
#include <vector>

#include "dataplane/http/chunk_extension.h"
#include "dataplane/http/field_scanner.h"
#include "dataplane/http/parse_error.h"

namespace sluice::http {

class ChunkedDecoder {
 public:
  enum class State : uint8_t {
    kData,      // `data` is a piece of the body, never empty.
    kNeedMore,  // All input was consumed.
    kDone,      // The last chunk and its trailers were read; what follows is the next message.
    kError,     // error() tells; the message cannot be completed.
  };
  struct Step {
    State state;
    size_t consumed;        // Bytes of the input used up by this step, `data` included.
    std::string_view data;  // View of the input.
  };

  ChunkedDecoder() = default;
  // Trailers are views of the decoder's own memory.
  ChunkedDecoder(const ChunkedDecoder&) = delete;
  ChunkedDecoder& operator=(const ChunkedDecoder&) = delete;

  // Extensions are checked and dropped. Trailers may have `limits.head_bytes` and `limits.fields`;
  // extensions may outweigh the data by `limits.head_bytes`.
  void Reset(const HeadLimits& limits);
  Step Next(std::string_view input);
  // Takes the whole chunks of 1 to 15 bytes without extensions that begin at `input`, moves their
  // data to `*out`, which may lie in `input` at or before its beginning, and advances it. Returns
  // the bytes of `input` used up; Next() is for what stands there then. Chunks of a byte each would
  // cost several times their data without it.
  size_t JoinSmall(std::string_view input, char** out) const;

  // After kDone: trailer fields, owned by the decoder until Reset. Those that MayBeTrailer refuses
  // are left out.
  const std::vector<Field>& trailers() const { return trailers_; }
  ParseError error() const { return error_; }

 private:
  enum class Phase : uint8_t {
    kSize,
    kExtension,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailers,
    kDone,
    kError
  };

  Step Fail(ParseError error, size_t consumed);
  // These take bytes from `at` on and return where they stopped; phase_ tells why.
  const char* TakeSize(const char* at, const char* end);
  const char* TakeExtension(const char* at, const char* end);
  void FinishSizeLine();
  size_t TakeTrailers(std::string_view input);
  size_t FailTrailers(ParseError error);

  HeadLimits limits_;
  Phase phase_ = Phase::kSize;
  ParseError error_ = ParseError::kNone;
  uint8_t size_digits_ = 0;
  ChunkExtension extension_;
  uint64_t chunk_bytes_ = 0;      // Of the present chunk, still to come.
  uint64_t extension_bytes_ = 0;  // Not yet outweighed by data.
  FieldScanner scanner_;          // Of trailer_bytes_.
  uint32_t trailer_count_ = 0;    // Those left out included.
  std::string trailer_bytes_;
  std::vector<Field> trailers_;  // Views of trailer_bytes_.
};

}  // namespace sluice::http
