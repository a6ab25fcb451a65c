// A gRPC-Web request's body becomes that of gRPC (PROTOCOL-WEB of gRPC): base64 is taken off, and
// nothing but messages may come.
//
// Hot path: binary bodies are looked at, not copied; text is decoded into the caller's buffer. No
// allocation. One request's.
#pragma once

#include "dataplane/grpc/base64.h"
#include "dataplane/grpc/media_type.h"
#include "dataplane/grpc/message_scanner.h"

namespace sluice::grpc {

class WebRequestDecoder {
 public:
  // `type`: kGrpcWeb or kGrpcWebText.
  explicit WebRequestDecoder(MediaType type) : is_text_(type == MediaType::kGrpcWebText) {}

  struct Step {
    std::string_view data;   // The next piece of the gRPC body: of the input, or of `out`.
    size_t consumed = 0;     // Of the input; less than all of it where `out` was too small.
    bool malformed = false;  // For good: no base64, or trailers. There is no data then.
  };

  // `room`: of `out`, at least kBase64RoomMin.
  Step Decode(std::string_view in, char* out, size_t room);

  // Whether the body may end here: every message that began is complete.
  bool complete() const { return base64_.at_boundary() && messages_.at_boundary(); }

 private:
  const bool is_text_;
  Base64Decoder base64_;
  MessageScanner messages_;
};

}  // namespace sluice::grpc
