#include "dataplane/http/body_reader.h"

#include <algorithm>
#include <cstring>

namespace sluice::http {

void BodyReader::Start(Framing framing, uint64_t content_length, const HeadLimits& limits) {
  framing_ = framing;
  remaining_ = framing == Framing::kLength ? content_length : 0;
  done_ = framing == Framing::kNone || (framing == Framing::kLength && content_length == 0);
  if (framing == Framing::kChunked) chunked_.Reset(limits);
}

BodyReader::Step BodyReader::Take(char* input, size_t bytes) {
  if (done_) return {.done = true};
  switch (framing_) {
    case Framing::kNone:
      break;
    case Framing::kLength: {
      const size_t taken = static_cast<size_t>(std::min<uint64_t>(bytes, remaining_));
      remaining_ -= taken;
      done_ = remaining_ == 0;
      return {.data = {input, taken}, .consumed = taken, .done = done_};
    }
    case Framing::kUntilClose:
      return {.data = {input, bytes}, .consumed = bytes};
    case Framing::kChunked:
      return TakeChunked(input, bytes);
  }
  return {.done = true};
}

BodyReader::Step BodyReader::TakeChunked(char* input, size_t bytes) {
  Step result;
  char* const start = input;
  char* joined_end = nullptr;
  char* joined = nullptr;
  for (;;) {
    char* small_end = joined_end != nullptr ? joined_end : start + result.consumed;
    char* const small = small_end;
    result.consumed +=
        chunked_.JoinSmall({start + result.consumed, bytes - result.consumed}, &small_end);
    if (small_end != small) {
      if (joined == nullptr) joined = small;
      joined_end = small_end;
    }
    const ChunkedDecoder::Step step =
        chunked_.Next({start + result.consumed, bytes - result.consumed});
    result.consumed += step.consumed;
    if (step.state == ChunkedDecoder::State::kData) {
      if (joined == nullptr) {
        joined = joined_end = const_cast<char*>(step.data.data());
      } else if (joined_end != step.data.data()) {
        std::memmove(joined_end, step.data.data(), step.data.size());
      }
      joined_end += step.data.size();
      continue;
    }
    result.error = step.state == ChunkedDecoder::State::kError;
    result.done = done_ = step.state == ChunkedDecoder::State::kDone;
    if (joined != nullptr) result.data = {joined, static_cast<size_t>(joined_end - joined)};
    return result;
  }
}

}  // namespace sluice::http
