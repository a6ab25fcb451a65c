#include "dataplane/grpc/web_request_decoder.h"

namespace sluice::grpc {

WebRequestDecoder::Step WebRequestDecoder::Decode(std::string_view in, char* out, size_t room) {
  Step step{.data = in, .consumed = in.size()};
  if (is_text_) {
    const Base64Step decoded = base64_.Decode(in, out, room);
    step = {.data = {out, decoded.written},
            .consumed = decoded.consumed,
            .malformed = decoded.malformed};
  }
  if (step.malformed || !messages_.Take(step.data)) {
    step.data = {};
    step.malformed = true;
  }
  return step;
}

}  // namespace sluice::grpc
