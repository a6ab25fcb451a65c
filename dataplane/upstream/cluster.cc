#include "dataplane/upstream/cluster.h"

#include <algorithm>
#include <string>

namespace sluice::upstream {

using Room = Admission::Room;

namespace {

constexpr uint64_t kRetryCost = 100;
constexpr uint32_t kRetriesSavedMin = 10;
// Requests in a row that a connection serves for its worker while others wait for one: opening one
// for each request would cost the upstream more than they lose by it.
constexpr uint32_t kPassedOnMax = 16;
constexpr int64_t kRetryMicros = 100'000;  // Earns one, for all workers together.

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

Cluster::Cluster(std::shared_ptr<const ClusterSpec> spec, const ClusterHome& home)
    : spec_(std::move(spec)),
      stats_(home.stats),
      loads_(LoadsOf(*spec_)),
      balancer_(spec_->lb_strategy, loads_, AddressesOf(*spec_), spec_->panic_threshold_percent,
                home.seed),
      slow_start_(spec_->slow_start),
      reactor_(home.reactor),
      retry_micros_(kRetryMicros * home.workers),
      retry_budget_(spec_->retry_budget_percent == 0 ? 0 : kRetryCost * kRetriesSavedMin) {
  pools_.reserve(spec_->endpoints.size());
  for (const EndpointSpec& endpoint : spec_->endpoints)
    pools_.push_back(home.pools.Get(endpoint.pool_key));
  if (spec_->admission != nullptr && spec_->admission->limits().of_connections()) {
    holder_.emplace(*spec_->admission, home.reactor, [this] {
      if (spec_->admission->awaited()) DropIdle();
    });
  }
}

int Cluster::Enter(const Wanted& wanted, bool waited, Load* load) {
  int endpoint = balancer_.Pick(wanted.hash, wanted.tried);
  if (endpoint < 0) return kNoEndpoint;
  ConnectionSlot slot;
  if (spec_->admission != nullptr) {
    TriedEndpoints passed_over = wanted.tried;
    for (;;) {
      const Room room = EnterAt(static_cast<size_t>(endpoint), wanted, waited, &slot);
      if (room == Room::kTaken) break;
      if (room == Room::kNoConnection || room == Room::kClusterFull) return kNoRoom;
      const uint32_t before = passed_over.size();
      passed_over.Add(static_cast<uint32_t>(endpoint));
      if (passed_over.size() == before) return kNoRoom;
      endpoint = balancer_.Pick(wanted.hash, passed_over);
      if (endpoint < 0) return kNoRoom;
    }
  }
  *load = Load(*this, static_cast<size_t>(endpoint), std::move(slot));
  return endpoint;
}

// --- Connections, where there may be so many only.

Admission::Room Cluster::EnterAt(size_t endpoint, const Wanted& wanted, bool waited,
                                 ConnectionSlot* slot) {
  Admission& admission = *spec_->admission;
  const bool needed = holder_.has_value() && NeedsConnection(endpoint, wanted);
  Room room = admission.Enter(endpoint, waited, needed ? slot : nullptr);
  // One that nobody uses gives way.
  if (room == Room::kNoConnection && DropIdle()) room = admission.Enter(endpoint, waited, slot);
  const bool hit = room == Room::kNoConnection || room == Room::kNoConnectionThere;
  if (hit && !waited) stats_.connection_limit_hits_total.Add();
  return room;
}

bool Cluster::NeedsConnection(size_t endpoint, const Wanted& wanted) const {
  const Admission* const admission = spec_->admission.get();
  const Pool& pool = *pools_[endpoint];
  if (wanted.may_share && Shares(static_cast<int>(endpoint)) && pool.HasSharedOf(admission)) {
    return false;
  }
  return !wanted.may_reuse || !pool.HasIdleOf(admission);
}

bool Cluster::TakeConnection(int endpoint, Load* load) {
  if (!holder_.has_value() || load->slot_) return true;
  const auto take = [&] {
    return spec_->admission->TakeConnection(static_cast<size_t>(endpoint), &load->slot_);
  };
  Room room = take();
  if (room == Room::kNoConnection && DropIdle()) room = take();
  return room == Room::kTaken;
}

bool Cluster::Shares(int endpoint) const {
  switch (spec_->protocol) {
    case v1::UPSTREAM_PROTOCOL_HTTP2:
      return true;
    case v1::UPSTREAM_PROTOCOL_AUTO:
      return !spec_->endpoints[static_cast<size_t>(endpoint)].server_name.empty();
    default:
      return false;
  }
}

PoolLimits Cluster::LimitsOfReturn() {
  PoolLimits limits = pool_limits();
  const bool awaited = holder_.has_value() && spec_->admission->awaited();
  if (awaited && !PassOn()) limits.idle_max = 0;
  return limits;
}

bool Cluster::PassOn() {
  if (!holder_.has_value() || !spec_->admission->awaited()) return false;
  passing_on_ = passed_on_ < kPassedOnMax && spec_->admission->CallOn(reactor_);
  passed_on_ = passing_on_ ? passed_on_ + 1 : 0;
  return passing_on_;
}

bool Cluster::DropIdle() {
  const auto fullest =
      std::max_element(pools_.begin(), pools_.end(),
                       [](const auto& a, const auto& b) { return a->idle() < b->idle(); });
  if ((*fullest)->idle() > 0) return (*fullest)->DropIdle();
  return std::any_of(pools_.begin(), pools_.end(),
                     [](const auto& pool) { return pool->DropIdle(); });
}

// --- What is under way.

Cluster::Load::Load(Cluster& cluster, size_t endpoint, ConnectionSlot slot)
    : cluster_(&cluster), endpoint_(endpoint), slot_(std::move(slot)) {
  ++cluster.loads_[endpoint].active_requests;
  ++cluster.requests_active_;
  cluster.stats_.requests_active.Add();
}

Cluster::Load::~Load() {
  if (cluster_ == nullptr) return;
  --cluster_->loads_[endpoint_].active_requests;
  --cluster_->requests_active_;
  cluster_->stats_.requests_active.Sub();
  if (cluster_->spec_->admission != nullptr) {
    cluster_->spec_->admission->Leave(endpoint_, std::exchange(cluster_->passing_on_, false));
  }
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
  if (const int64_t gone = now_micros - earned_micros_; gone >= retry_micros_) {
    earned += kRetryCost * static_cast<uint64_t>(gone / retry_micros_);
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
