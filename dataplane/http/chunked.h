// Decodes chunked bodies in place (RFC 9112 section 7.1): strict, any split of the input gives the same.
#pragma once

#include <string>
#include <vector>

#include "dataplane/http/h1_parser.h"

namespace sluice::http {

class ChunkedDecoder {
 public:
  enum class State : uint8_t {
    kData,      // `data` is a piece of the body.
    kNeedMore,  // All input was consumed.
    kDone,      // The last chunk and its trailers were read; input after `consumed` is the next message.
    kError,     // error() tells; the message cannot be completed.
  };
  struct Step {
    State state;
    size_t consumed;        // Bytes of the input used up by this step, `data` included.
    std::string_view data;  // View of the input.
  };

  // Extensions are checked and dropped. Chunk extensions and trailers together may take `limits.head_bytes`, trailers `limits.fields`.
  void Reset(const HeadLimits& limits);
  Step Next(std::string_view input);

  // After kDone: trailer fields, owned by the decoder until Reset. Fields that frame, route, authenticate or describe
  // the body are left out (RFC 9110 section 6.5.1).
  const std::vector<Field>& trailers() const { return trailers_; }
  ParseError error() const { return error_; }

 private:
  enum class Phase : uint8_t { kSize, kSizeLine, kData, kDataCr, kDataLf, kTrailers, kDone, kError };

  Step Fail(ParseError error, size_t consumed);
  // True when the size line ended; false with error_ set when it is malformed.
  bool TakeSizeByte(char c);
  bool FinishSizeLine();
  bool TakeTrailerByte(char c);
  bool FinishTrailers();

  HeadLimits limits_;
  Phase phase_ = Phase::kSize;
  ParseError error_ = ParseError::kNone;
  uint8_t size_digits_ = 0;
  uint64_t chunk_bytes_ = 0;    // Of the present chunk, still to come.
  uint64_t overhead_bytes_ = 0; // Extensions and trailers so far.
  std::string line_;            // The extension of a size line, or all trailer lines.
  std::vector<Field> trailers_; // Views of line_.
};

}  // namespace sluice::http
