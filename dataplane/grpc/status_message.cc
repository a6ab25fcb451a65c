#include "dataplane/grpc/status_message.h"

namespace sluice::grpc {

size_t EncodeMessage(std::string_view text, char* out) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  const char* const begin = out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte <= 0x7e && byte != '%') {
      *out++ = c;
      continue;
    }
    *out++ = '%';
    *out++ = kHex[byte >> 4];
    *out++ = kHex[byte & 15];
  }
  return static_cast<size_t>(out - begin);
}

}  // namespace sluice::grpc
