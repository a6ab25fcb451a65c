// What of a request decides its endpoint under the hash strategy: client_ip, path, header:NAME,
// cookie:NAME or query:NAME.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dataplane/http/message.h"

namespace sluice::upstream {

struct HashInput {
  std::string_view client_ip;
  std::string_view path;
  std::string_view query;  // Without "?".
  const http::RequestHead* head;
};

class HashKey {
 public:
  HashKey() = default;
  // `hash_on` has passed validation; empty: client_ip.
  explicit HashKey(std::string_view hash_on);

  // Hot path. What is missing hashes as empty: all such requests go to one endpoint.
  uint64_t Of(const HashInput& input) const;

 private:
  enum class Source : uint8_t { kClientIp, kPath, kHeader, kCookie, kQuery };
  Source source_ = Source::kClientIp;
  std::string name_;
};

}  // namespace sluice::upstream
