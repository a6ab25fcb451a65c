#include "dataplane/upstream/health_monitor.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <map>
#include <utility>

#include "common/base/hash.h"
#include "common/base/random.h"
#include "dataplane/upstream/cluster_spec.h"
#include "dataplane/upstream/health_probe.h"
#include "dataplane/upstream/health_threshold.h"

namespace sluice::upstream {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// First probes of many endpoints are spread over this time.
constexpr uint32_t kFirstProbeSpreadMs = 100;
constexpr uint32_t kIntervalMsMin = 10;
constexpr uint32_t kTimeoutMsDefault = 1000;

int64_t NowUnixMs() {
  return std::chrono::duration_cast<milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

bool UsesTls(const v1::Cluster& cluster, const v1::Endpoint& endpoint) {
  return !endpoint.sni().empty() || cluster.tls().enabled();
}

std::string ServerNameOf(const v1::Cluster& cluster, const v1::Endpoint& endpoint) {
  if (!endpoint.sni().empty()) return endpoint.sni();
  if (!cluster.tls().sni().empty()) return cluster.tls().sni();
  return endpoint.address().substr(0, endpoint.address().rfind(':'));
}

// What a health depends on; everything else may change without losing it.
std::string KeyOf(const v1::Cluster& cluster, const v1::Endpoint& endpoint) {
  v1::HealthCheck check = cluster.health_check();
  check.clear_warm_up_ms();  // How long others wait for it.
  std::string key = cluster.name();
  for (const std::string& part :
       {endpoint.address(), endpoint.sni(), cluster.tls().SerializeAsString(),
        check.SerializeAsString(), std::to_string(cluster.proxy_protocol()),
        std::to_string(cluster.protocol())}) {
    // Sizes keep apart what would otherwise run together.
    key += '\0' + std::to_string(part.size()) + ':' + part;
  }
  key += cluster.has_health_check() ? 'c' : '-';
  return key;
}

ProbeSchema SchemaOf(const v1::Cluster& cluster) {
  switch (cluster.health_check().schema()) {
    case v1::HealthCheck::HTTP:
      // Where both will do, the simpler one.
      return cluster.protocol() == v1::UPSTREAM_PROTOCOL_HTTP2 ? ProbeSchema::kHttp2
                                                               : ProbeSchema::kHttp1;
    case v1::HealthCheck::GRPC:
      return ProbeSchema::kGrpc;
    default:
      return ProbeSchema::kTcp;
  }
}

ProbeTarget TargetOf(const v1::Cluster& cluster, const v1::Endpoint& endpoint) {
  const v1::HealthCheck& check = cluster.health_check();
  ProbeTarget target;
  target.address = endpoint.address();
  target.timeout = milliseconds(check.timeout_ms() > 0 ? check.timeout_ms() : kTimeoutMsDefault);
  target.schema = SchemaOf(cluster);
  target.grpc_service = check.grpc_service();
  target.http_path = check.http_path().empty() ? "/" : check.http_path();
  target.http_host = check.http_host().empty() ? endpoint.address() : check.http_host();
  target.expected_statuses.assign(check.expected_statuses().begin(),
                                  check.expected_statuses().end());
  target.use_tls = UsesTls(cluster, endpoint);
  target.server_name = ServerNameOf(cluster, endpoint);
  target.proxy_header = ProxyHeaderOf(cluster);
  return target;
}

// One endpoint under one check. Its handlers hold it weakly: once the monitor lets go, nothing
// happens.
class Watched : public std::enable_shared_from_this<Watched> {
 public:
  Watched(asio::io_context& context, const v1::Cluster& cluster, const v1::Endpoint& endpoint,
          uint64_t seed)
      : health(std::make_shared<EndpointHealth>(!cluster.has_health_check() ||
                                                !cluster.health_check().initially_unhealthy())),
        cluster_name(cluster.name()),
        target(TargetOf(cluster, endpoint)),
        context_(context),
        timer_(context),
        threshold_(cluster.health_check()),
        interval_ms_(std::max(kIntervalMsMin, cluster.health_check().interval_ms())),
        random_(seed) {
    health->Set(health->healthy(), cluster.has_health_check() ? "not checked yet" : "no check",
                NowUnixMs());
  }

  v1::HandoverHealth Save() const {
    v1::HandoverHealth saved;
    health->Save(&saved);
    threshold_.Save(&saved);
    return saved;
  }
  // Before StartProbing.
  void Restore(const v1::HandoverHealth& known) {
    health->Restore(known);
    threshold_.Restore(known);
  }

  void StartProbing(const HealthMonitor::OnChange& on_change) {
    on_change_ = &on_change;
    WaitUntil(steady_clock::now() + milliseconds(random_.Below(kFirstProbeSpreadMs)));
  }

  const std::shared_ptr<EndpointHealth> health;
  const std::string cluster_name;
  ProbeTarget target;  // Only `tls` changes.

 private:
  void WaitUntil(steady_clock::time_point time) {
    timer_.expires_at(time);
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      const std::shared_ptr<Watched> self = weak.lock();
      if (self != nullptr && !error) self->Probe();
    });
  }

  void Probe() {
    started_ = steady_clock::now();
    probe_ = HealthProbe::Start(context_, target,
                                [weak = weak_from_this()](bool passed, const std::string& reason) {
                                  const std::shared_ptr<Watched> self = weak.lock();
                                  if (self != nullptr) self->OnResult(passed, reason);
                                });
  }

  void OnResult(bool passed, const std::string& reason) {
    const bool was_healthy = health->healthy();
    const bool healthy = threshold_.Observe(passed);
    health->NoteChecked();
    health->Set(healthy, reason, NowUnixMs());
    // Give or take a tenth, so that proxies do not probe in step.
    const uint32_t tenth = interval_ms_ / 10;
    const milliseconds interval(interval_ms_ - tenth + random_.Below(2 * tenth + 1));
    WaitUntil(std::max(started_ + interval, steady_clock::now()));
    if (healthy != was_healthy && *on_change_) {
      (*on_change_)(cluster_name, target.address, healthy, reason);
    }
  }

  asio::io_context& context_;
  asio::steady_timer timer_;
  std::unique_ptr<HealthProbe> probe_;
  HealthThreshold threshold_;
  const uint32_t interval_ms_;
  base::Random random_;
  steady_clock::time_point started_;
  const HealthMonitor::OnChange* on_change_ = nullptr;
};

}  // namespace

struct HealthMonitor::State {
  asio::io_context& context;
  const OnChange on_change;
  std::map<std::string, std::shared_ptr<Watched>> watched;  // By KeyOf().
  std::map<std::string, v1::HandoverHealth> restored;       // By the hash of KeyOf().
};

HealthMonitor::HealthMonitor(asio::io_context& context, OnChange on_change)
    : state_(new State{context, std::move(on_change), {}, {}}) {}

HealthMonitor::~HealthMonitor() = default;

std::shared_ptr<EndpointHealth> HealthMonitor::Watch(
    const v1::Cluster& cluster, const v1::Endpoint& endpoint,
    std::shared_ptr<const tls::ClientContext> tls) {
  const std::string key = KeyOf(cluster, endpoint);
  const auto [found, is_new] = state_->watched.try_emplace(key);
  std::shared_ptr<Watched>& watched = found->second;
  if (is_new) {
    watched = std::make_shared<Watched>(state_->context, cluster, endpoint, base::RandomSeed());
    if (!state_->restored.empty()) {
      const auto known = state_->restored.find(base::Sha256(key));
      if (known != state_->restored.end()) watched->Restore(known->second);
    }
    if (cluster.has_health_check()) watched->StartProbing(state_->on_change);
  }
  if (tls != nullptr) watched->target.tls = std::move(tls);
  return watched->health;
}

void HealthMonitor::Collect() {
  // Only this thread hands out further references, so a count of one stays one.
  std::erase_if(state_->watched,
                [](const auto& entry) { return entry.second->health.use_count() == 1; });
}

std::vector<v1::HandoverHealth> HealthMonitor::Save() const {
  std::vector<v1::HandoverHealth> all;
  all.reserve(state_->watched.size());
  for (const auto& [key, watched] : state_->watched) {
    all.push_back(watched->Save());
    all.back().set_key(base::Sha256(key));
  }
  return all;
}

void HealthMonitor::Restore(const std::vector<v1::HandoverHealth>& known) {
  if (known.empty()) return;
  std::map<std::string, EndpointHealth*> watched;
  for (const auto& [key, endpoint] : state_->watched) {
    watched.emplace(base::Sha256(key), endpoint->health.get());
  }
  for (const v1::HandoverHealth& health : known) {
    if (const auto found = watched.find(health.key()); found != watched.end()) {
      found->second->RestoreEjection(health);
    } else {
      state_->restored[health.key()] = health;
    }
  }
}

void HealthMonitor::ForgetRestored() { state_->restored.clear(); }

std::vector<HealthMonitor::Entry> HealthMonitor::Snapshot() const {
  std::vector<Entry> entries;
  entries.reserve(state_->watched.size());
  for (const auto& [key, watched] : state_->watched) {
    entries.push_back({watched->cluster_name, watched->target.address, watched->health->status()});
  }
  return entries;
}

}  // namespace sluice::upstream
