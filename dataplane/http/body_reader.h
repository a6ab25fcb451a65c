// Takes a message body out of a connection's bytes, whatever its framing.
//
// Hot path. Chunked bodies are decoded in place and their pieces moved together, so that many small
// chunks of one read become one piece.
#pragma once

#include "dataplane/http/chunked.h"
#include "dataplane/http/message.h"

namespace sluice::http {

class BodyReader {
 public:
  struct Step {
    std::string_view data;  // View of the input; may be empty.
    size_t consumed = 0;    // Bytes of the input used up.
    bool done = false;      // The body, trailers included, is complete.
    bool error = false;     // Malformed; error() tells.
  };

  void Start(Framing framing, uint64_t content_length, const HeadLimits& limits);

  // `input` may be rewritten in place.
  Step Take(char* input, size_t bytes);

  // What an end of stream now means: true, the body is complete; false, it was cut.
  bool CompleteAtEnd() const { return framing_ == Framing::kUntilClose; }
  bool done() const { return done_; }
  Framing framing() const { return framing_; }
  // Bytes that must still come, for kLength.
  uint64_t remaining() const { return remaining_; }
  // Bytes of the body that went another way (splice).
  void Skip(uint64_t bytes) {
    remaining_ -= bytes;
    if (framing_ == Framing::kLength && remaining_ == 0) done_ = true;
  }
  const std::vector<Field>& trailers() const { return chunked_.trailers(); }
  ParseError error() const { return chunked_.error(); }

 private:
  Step TakeChunked(char* input, size_t bytes);

  ChunkedDecoder chunked_;
  uint64_t remaining_ = 0;
  Framing framing_ = Framing::kNone;
  bool done_ = true;
};

}  // namespace sluice::http
