// Which kind of gRPC a Content-Type names: gRPC itself, gRPC-Web, or gRPC-Web in base64.
//
// Hot path: once per request, no allocation. No state.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::grpc {

enum class MediaType : uint8_t {
  kOther,
  kGrpc,         // application/grpc: gRPC over HTTP/2.
  kGrpcWeb,      // application/grpc-web: the same messages, trailers in a last frame of the body.
  kGrpcWebText,  // application/grpc-web-text: that in base64.
};

// By the value of Content-Type, whatever its letters' case, its message format (+proto) and its
// parameters. application/grpcx is kOther.
MediaType MediaTypeOf(std::string_view content_type);

// What the client of a gRPC-Web request reads: as its Accept says, otherwise as it writes itself.
// `accept`: empty if there is none. `request`: kGrpcWeb or kGrpcWebText.
MediaType ResponseTypeOf(MediaType request, std::string_view accept);

// Sets `out` to the same message format as another kind: application/grpc-web-text+proto as kGrpc
// is application/grpc+proto. Parameters are left out. Neither kind is kOther.
void Translate(std::string_view content_type, MediaType to, std::string* out);

}  // namespace sluice::grpc
