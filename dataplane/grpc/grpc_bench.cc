// What gRPC costs beside HTTP/2: a call's fields, and gRPC-Web's bodies.
#include <benchmark/benchmark.h>

#include "dataplane/grpc/grpc_timeout.h"
#include "dataplane/grpc/media_type.h"
#include "dataplane/grpc/web_request_decoder.h"
#include "dataplane/grpc/web_trailers.h"

namespace sluice::grpc {
namespace {

void FieldsOfACall(benchmark::State& state) {
  char timeout[kTimeoutCharsMax];
  for (auto _ : state) {
    benchmark::DoNotOptimize(MediaTypeOf("application/grpc+proto"));
    const auto left = ParseTimeout("4995884u");
    benchmark::DoNotOptimize(WriteTimeout(*left, timeout));
  }
}
BENCHMARK(FieldsOfACall);

// What every request pays that is not gRPC.
void MediaTypeOfAnythingElse(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(MediaTypeOf("application/json"));
}
BENCHMARK(MediaTypeOfAnythingElse);

// Messages of this size, 16 KiB of them.
std::string Messages(size_t message_bytes) {
  std::string body;
  while (body.size() < 16 * 1024) {
    body.append({'\0', '\0', '\0', static_cast<char>(message_bytes >> 8),
                 static_cast<char>(message_bytes)});
    body.append(message_bytes, 'm');
  }
  return body;
}

void DecodeRequest(benchmark::State& state, MediaType type) {
  std::string body = Messages(static_cast<size_t>(state.range(0)));
  if (type == MediaType::kGrpcWebText) {
    std::string text(2 * body.size(), '\0');
    text.resize(EncodeBase64(body, text.data(), text.size()).written);
    body = text;
  }
  std::string out(body.size() + kBase64RoomMin, '\0');
  for (auto _ : state) {
    WebRequestDecoder decoder(type);
    benchmark::DoNotOptimize(decoder.Decode(body, out.data(), out.size()));
    if (!decoder.complete()) state.SkipWithError("refused");
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(body.size()));
}
BENCHMARK_CAPTURE(DecodeRequest, binary, MediaType::kGrpcWeb)->Arg(16)->Arg(1024);
BENCHMARK_CAPTURE(DecodeRequest, text, MediaType::kGrpcWebText)->Arg(16)->Arg(1024);

void EncodeResponse(benchmark::State& state) {
  const std::string body = Messages(1024);
  std::string out(2 * body.size(), '\0');
  for (auto _ : state) benchmark::DoNotOptimize(EncodeBase64(body, out.data(), out.size()));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(body.size()));
}
BENCHMARK(EncodeResponse);

void TrailersOfACall(benchmark::State& state) {
  const std::vector<http::Field> trailers = {{"grpc-status", "0"}, {"grpc-message", ""}};
  std::string frame;
  for (auto _ : state) {
    WriteTrailerFrame(trailers, &frame);
    benchmark::DoNotOptimize(frame.data());
  }
}
BENCHMARK(TrailersOfACall);

}  // namespace
}  // namespace sluice::grpc
