// Probes endpoints, once per proxy, on the control thread; workers see the result in
// EndpointHealth.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/tls/context.h"
#include "dataplane/upstream/endpoint_health.h"
#include "sluice/v1/cluster.pb.h"
#include "sluice/v1/handover.pb.h"

namespace boost::asio {
class io_context;
}

namespace sluice::upstream {

class HealthMonitor {
 public:
  // Called when an endpoint becomes healthy or unhealthy.
  using OnChange = std::function<void(const std::string& cluster, const std::string& address,
                                      bool healthy, const std::string& reason)>;
  // Everything on `context`'s one thread, which must outlive the monitor.
  HealthMonitor(boost::asio::io_context& context, OnChange on_change);
  ~HealthMonitor();
  HealthMonitor(const HealthMonitor&) = delete;
  HealthMonitor& operator=(const HealthMonitor&) = delete;

  // The health of this endpoint under this check: the same object as long as cluster, address,
  // server name, check and TLS settings are the same and somebody holds it. Starts probing (first
  // probe at once, then jittered) if the cluster has a check. May be called while preparing a
  // snapshot that is never committed. Probes use the newest `tls` given, which is not null where
  // the endpoint is spoken to over TLS.
  std::shared_ptr<EndpointHealth> Watch(const v1::Cluster& cluster, const v1::Endpoint& endpoint,
                                        std::shared_ptr<const tls::ClientContext> tls);

  // Stops probes of objects nobody else holds. Call after a snapshot went.
  void Collect();

  // What is known of every endpoint, for the process that takes this one's place.
  std::vector<v1::HandoverHealth> Save() const;
  // What another process has saved. Endpoints that Watch meets anew begin with it where cluster,
  // address and check are the same, until ForgetRestored; of those that are watched already, only
  // ejections are taken over.
  void Restore(const std::vector<v1::HandoverHealth>& known);
  void ForgetRestored();

  struct Entry {
    std::string cluster, address;
    EndpointHealth::Status status;
  };
  // By cluster and address.
  std::vector<Entry> Snapshot() const;

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace sluice::upstream
