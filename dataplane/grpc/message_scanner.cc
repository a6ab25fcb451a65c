#include "dataplane/grpc/message_scanner.h"

#include <algorithm>

namespace sluice::grpc {

namespace {
constexpr uint8_t kPrefixBytes = 5;
}

bool MessageScanner::Take(std::string_view bytes) {
  while (!bytes.empty() && !failed_) {
    if (prefix_bytes_ == 0 && message_bytes_ > 0) {
      const size_t skipped = std::min<size_t>(message_bytes_, bytes.size());
      message_bytes_ -= static_cast<uint32_t>(skipped);
      bytes.remove_prefix(skipped);
      continue;
    }
    const auto byte = static_cast<uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    if (prefix_bytes_ == 0) {
      failed_ = (byte & kTrailerFlag) != 0;
    } else {
      message_bytes_ = message_bytes_ << 8 | byte;
    }
    prefix_bytes_ = static_cast<uint8_t>((prefix_bytes_ + 1) % kPrefixBytes);
  }
  return !failed_;
}

}  // namespace sluice::grpc
