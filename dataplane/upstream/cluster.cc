#include "dataplane/upstream/cluster.h"

#include <algorithm>
#include <string>

namespace sluice::upstream {
namespace {

constexpr uint64_t kRetryCost = 100;
constexpr uint32_t kRetriesSavedMin = 10;
constexpr int64_t kRetryMicros = 100'000;  // Earns one.

std::vector<EndpointLoad> LoadsOf(const ClusterSpec& spec) {
  std::vector<EndpointLoad> loads;
  loads.reserve(spec.endpoints.size());
  for (const EndpointSpec& endpoint : spec.endpoints) {
    loads.push_back({.health = endpoint.health.get(), .weight = endpoint.weight});
  }
  return loads;
}

std::vector<std::string> AddressesOf(const ClusterSpec& spec) {
  std::vector<std::string> addresses;
  for (const EndpointSpec& endpoint : spec.endpoints) addresses.push_back(endpoint.address);
  return addresses;
}

}  // namespace

Cluster::Cluster(std::shared_ptr<const ClusterSpec> spec, PoolSet& pools,
                 observe::ClusterStats& stats, uint64_t seed)
    : spec_(std::move(spec)),
      stats_(stats),
      loads_(LoadsOf(*spec_)),
      balancer_(spec_->lb_strategy, loads_, AddressesOf(*spec_), spec_->panic_threshold_percent,
                seed),
      slow_start_(spec_->slow_start),
      retry_budget_(spec_->retry_budget_percent == 0 ? 0 : kRetryCost * kRetriesSavedMin) {
  pools_.reserve(spec_->endpoints.size());
  for (const EndpointSpec& endpoint : spec_->endpoints)
    pools_.push_back(pools.Get(endpoint.pool_key));
}

int Cluster::Enter(uint64_t hash, const TriedEndpoints& tried, bool waited, Load* load) {
  int endpoint = balancer_.Pick(hash, tried);
  if (endpoint < 0) return kNoEndpoint;
  if (Admission* const admission = spec_->admission.get(); admission != nullptr) {
    TriedEndpoints passed_over = tried;
    for (;;) {
      const Admission::Room room = admission->Enter(static_cast<size_t>(endpoint), waited);
      if (room == Admission::Room::kTaken) break;
      if (room == Admission::Room::kClusterFull) return kNoRoom;
      const uint32_t before = passed_over.size();
      passed_over.Add(static_cast<uint32_t>(endpoint));
      if (passed_over.size() == before) return kNoRoom;
      endpoint = balancer_.Pick(hash, passed_over);
      if (endpoint < 0) return kNoRoom;
    }
  }
  *load = Load(*this, static_cast<size_t>(endpoint));
  return endpoint;
}

Cluster::Load::Load(Cluster& cluster, size_t endpoint) : cluster_(&cluster), endpoint_(endpoint) {
  ++cluster.loads_[endpoint].active_requests;
  ++cluster.requests_active_;
  cluster.stats_.requests_active.Add();
}

Cluster::Load::~Load() {
  if (cluster_ == nullptr) return;
  --cluster_->loads_[endpoint_].active_requests;
  --cluster_->requests_active_;
  cluster_->stats_.requests_active.Sub();
  if (cluster_->spec_->admission != nullptr) cluster_->spec_->admission->Leave(endpoint_);
}

void Cluster::BeginRequest(int64_t now_micros) {
  EarnRetries(now_micros);
  if (!slow_start_.due(now_micros)) return;
  slow_start_.Apply(loads_, now_micros, [this](size_t i) { return spec_->endpoints[i].weight; });
  balancer_.Reweigh();
}

void Cluster::EarnRetries(int64_t now_micros) {
  if (spec_->retry_budget_percent == 0) return;
  // Saved up for a node that dies with all it has under way.
  const uint64_t most = kRetryCost * std::max(requests_active_, kRetriesSavedMin);
  uint64_t earned = spec_->retry_budget_percent;
  if (const int64_t gone = now_micros - earned_micros_; gone >= kRetryMicros) {
    earned += kRetryCost * static_cast<uint64_t>(gone / kRetryMicros);
    earned_micros_ = now_micros;
  }
  retry_budget_ = std::min(retry_budget_ + earned, most);
}

bool Cluster::SpendRetry() {
  if (retry_budget_ < kRetryCost) {
    stats_.retries_refused_total.Add();
    return false;
  }
  retry_budget_ -= kRetryCost;
  return true;
}

bool Cluster::TakeRetry() {
  if (!SpendRetry()) return false;
  stats_.retries_total.Add();
  return true;
}

bool Cluster::TakeHedge() {
  if (!SpendRetry()) return false;
  stats_.hedges_total.Add();
  return true;
}

}  // namespace sluice::upstream
