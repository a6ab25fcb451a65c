// One probe of one endpoint: connects, and asks by HTTP or gRPC where told to. Control thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/proxyproto/proxy_header.h"
#include "dataplane/tls/context.h"

namespace boost::asio {
class io_context;
}

namespace sluice::upstream {

enum class ProbeSchema : uint8_t {
  kTcp,  // A connection is all.
  kHttp1,
  kHttp2,
  kGrpc,
};

struct ProbeTarget {
  std::string address;  // ip:port
  std::chrono::milliseconds timeout{1000};
  ProbeSchema schema = ProbeSchema::kTcp;
  std::string http_path = "/";
  std::string http_host;
  std::vector<uint32_t> expected_statuses;  // Empty: 200 to 399.
  std::string grpc_service;                 // Empty: the server as a whole.
  bool use_tls = false;                     // For all but TCP.
  std::string server_name;
  std::shared_ptr<const tls::ClientContext> tls;
  // What the connection begins with; it tells that nobody else is behind it.
  proxyproto::HeaderVersion proxy_header = proxyproto::HeaderVersion::kNone;
};

class HealthProbe {
 public:
  virtual ~HealthProbe() = default;  // Cancels; `done` is not called any more.

  // `reason` tells what was seen: "connected", "status 200", "grpc: SERVING", "connect: Connection
  // refused", "timeout after 2s"...
  using Done = std::function<void(bool passed, const std::string& reason)>;
  // `done` is called once, from the context, never from here.
  static std::unique_ptr<HealthProbe> Start(boost::asio::io_context& context, ProbeTarget target,
                                            Done done);
};

}  // namespace sluice::upstream
