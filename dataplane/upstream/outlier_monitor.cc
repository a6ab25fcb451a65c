#include "dataplane/upstream/outlier_monitor.h"

#include <limits>

#include "common/base/clock.h"

namespace sluice::upstream {
namespace {

constexpr std::chrono::milliseconds kTick{100};

OutlierSettings SettingsOf(const v1::Cluster& cluster) {
  using std::chrono::milliseconds;
  const v1::OutlierDetection& source = cluster.outlier_detection();
  OutlierSettings settings;
  settings.consecutive_failures = source.consecutive_failures();
  settings.interval = milliseconds(source.interval_ms());
  settings.base_ejection = milliseconds(source.base_ejection_ms());
  settings.max_ejection = milliseconds(source.max_ejection_ms());
  settings.max_ejected_percent = source.max_ejected_percent();
  settings.panic_threshold_percent = cluster.panic_threshold_percent();
  settings.success_deviations_percent = source.success_deviations_percent();
  settings.latency_percent = source.latency_percent();
  settings.requests_min = source.requests_min();
  settings.endpoints_min = source.endpoints_min();
  return settings;
}

}  // namespace

OutlierMonitor::OutlierMonitor(boost::asio::io_context& context, HealthMonitor::OnChange on_change)
    : timer_(context), on_change_(std::move(on_change)) {
  Wait();
}

std::shared_ptr<OutlierDetector> OutlierMonitor::Watch(
    const v1::Cluster& cluster, std::vector<std::shared_ptr<EndpointHealth>> endpoints) {
  if (!cluster.has_outlier_detection()) {
    for (const auto& endpoint : endpoints) {
      endpoint->Readmit(std::numeric_limits<int64_t>::max());
    }
    return nullptr;
  }
  Watched& watched = watched_.emplace_back();
  watched.cluster = cluster.name();
  for (size_t i = 0; i < endpoints.size(); ++i) {
    watched.addresses.push_back(cluster.endpoints(static_cast<int>(i)).address());
    watched.ejected.push_back(endpoints[i]->ejected());
  }
  auto detector = std::make_shared<OutlierDetector>(SettingsOf(cluster), std::move(endpoints));
  watched.detector = detector;
  return detector;
}

void OutlierMonitor::Wait() {
  timer_.expires_after(kTick);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    Tick();
    Wait();
  });
}

void OutlierMonitor::Tick() {
  std::erase_if(watched_, [](const Watched& watched) { return watched.detector.expired(); });
  const int64_t now = base::UnixMillis();
  for (Watched& watched : watched_) {
    const std::shared_ptr<OutlierDetector> detector = watched.detector.lock();
    detector->Tick(now);
    for (size_t i = 0; i < detector->size(); ++i) {
      const EndpointHealth& health = detector->health(i);
      if (watched.ejected[i] == health.ejected()) continue;
      watched.ejected[i] = health.ejected();
      const EndpointHealth::Status status = health.status();
      if (on_change_) {
        on_change_(watched.cluster, watched.addresses[i], status.healthy, status.reason);
      }
    }
  }
}

}  // namespace sluice::upstream
