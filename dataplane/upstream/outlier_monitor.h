// Lets the outlier detectors of all clusters judge and forgive in time, on the control thread.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/upstream/health_monitor.h"
#include "dataplane/upstream/outlier_detector.h"
#include "sluice/v1/cluster.pb.h"

namespace sluice::upstream {

class OutlierMonitor {
 public:
  // Everything on `context`'s one thread, which must outlive the monitor. `on_change` is called
  // when an endpoint is ejected or taken back.
  OutlierMonitor(boost::asio::io_context& context, HealthMonitor::OnChange on_change);
  OutlierMonitor(const OutlierMonitor&) = delete;
  OutlierMonitor& operator=(const OutlierMonitor&) = delete;

  // A detector for `cluster`, whose endpoints' healths are `endpoints`, in order; null where none
  // is asked for: then those that are out are taken back.
  std::shared_ptr<OutlierDetector> Watch(const v1::Cluster& cluster,
                                         std::vector<std::shared_ptr<EndpointHealth>> endpoints);

 private:
  struct Watched {
    std::weak_ptr<OutlierDetector> detector;
    std::string cluster;
    std::vector<std::string> addresses;
    std::vector<bool> ejected;  // As was told.
  };

  void Wait();
  void Tick();

  boost::asio::steady_timer timer_;
  const HealthMonitor::OnChange on_change_;
  std::vector<Watched> watched_;
};

}  // namespace sluice::upstream
