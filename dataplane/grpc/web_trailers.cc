#include "dataplane/grpc/web_trailers.h"

#include <algorithm>

#include "dataplane/grpc/message_scanner.h"
#include "dataplane/http/char_class.h"

namespace sluice::grpc {

void WriteTrailerFrame(const std::vector<http::Field>& trailers, std::string* frame) {
  constexpr size_t kPrefixBytes = 5;
  frame->assign(kPrefixBytes, '\0');
  for (const http::Field& field : trailers) {
    const size_t name_begin = frame->size();
    frame->append(field.name);
    std::transform(frame->begin() + static_cast<std::ptrdiff_t>(name_begin), frame->end(),
                   frame->begin() + static_cast<std::ptrdiff_t>(name_begin), http::ToLower);
    frame->append(": ").append(field.value).append("\r\n");
  }
  const size_t bytes = frame->size() - kPrefixBytes;
  (*frame)[0] = static_cast<char>(kTrailerFlag);
  for (size_t i = 1; i < kPrefixBytes; ++i) {
    (*frame)[i] = static_cast<char>(bytes >> 8 * (kPrefixBytes - 1 - i));
  }
}

}  // namespace sluice::grpc
