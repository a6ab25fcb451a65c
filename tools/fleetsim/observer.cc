#include "tools/fleetsim/observer.h"

namespace sluice::fleetsim {

Observer::Observer(const std::vector<Conduct>& conduct, int64_t now_us) {
  for (const Conduct one : conduct) {
    NodeFigures& node = figures_.nodes.emplace_back();
    node.counted = one != Conduct::kSilent && one != Conduct::kFlapping;
    unsettled_ += node.counted;
  }
  figures_.outages.push_back({.began_us = now_us});
}

void Observer::Change(int node, int64_t now_us, bool connected, bool busy) {
  NodeFigures& figures = At(node);
  const bool before = figures.settled();
  figures.connected = connected;
  figures.busy = busy;
  if (!figures.counted || before == figures.settled()) return;
  unsettled_ += before ? 1 : -1;
  if (unsettled_ == 0) settled_since_us_ = now_us;
}

void Observer::OnStartWith(int node, uint64_t revision) {
  const std::lock_guard lock(mutex_);
  At(node).revision = revision;
}

void Observer::OnStream(int node) {
  const std::lock_guard lock(mutex_);
  ++At(node).streams;
  At(node).stream_snapshot_bytes = 0;
}

void Observer::OnWelcome(int node, int64_t now_us) {
  const std::lock_guard lock(mutex_);
  Change(node, now_us, true, false);
  if (At(node).counted) figures_.outages.back().last_welcome_us = now_us;
}

void Observer::OnLost(int node, int64_t now_us) {
  const std::lock_guard lock(mutex_);
  const bool was_connected = At(node).connected;
  Change(node, now_us, false, false);
  if (!was_connected || !At(node).counted) return;
  if (figures_.outages.back().settled_us != 0) {
    if (figures_.outages.size() == kOutagesMax) figures_.outages.pop_front();
    figures_.outages.push_back({.began_us = now_us});
  }
  ++figures_.outages.back().streams_lost;
}

void Observer::OnReceived(int node, size_t bytes, bool of_snapshot) {
  const std::lock_guard lock(mutex_);
  At(node).received_bytes += bytes;
  if (!of_snapshot) return;
  At(node).snapshot_bytes += bytes;
  At(node).stream_snapshot_bytes += bytes;
}

void Observer::OnOffer(int node, uint64_t revision, int64_t now_us) {
  const std::lock_guard lock(mutex_);
  Change(node, now_us, At(node).connected, true);
  auto& versions = figures_.versions;
  const auto [version, added] = versions.try_emplace(revision);
  if (added) version->second.first_offer_us = now_us;
  version->second.offered_us.push_back(now_us);
  if (versions.size() > kVersionsMax) versions.erase(versions.begin());
}

void Observer::OnEffective(int node, uint64_t revision, int64_t now_us) {
  const std::lock_guard lock(mutex_);
  At(node).revision = revision;
  Change(node, now_us, At(node).connected, false);
  const auto version = figures_.versions.find(revision);
  if (version != figures_.versions.end()) version->second.effective_us.push_back(now_us);
}

void Observer::OnRejected(int node, int64_t now_us) {
  const std::lock_guard lock(mutex_);
  ++At(node).rejections;
  Change(node, now_us, At(node).connected, false);
}

void Observer::OnDiscard(int node, int64_t now_us) {
  const std::lock_guard lock(mutex_);
  Change(node, now_us, At(node).connected, false);
}

void Observer::OnResync(int node) {
  const std::lock_guard lock(mutex_);
  ++At(node).resyncs;
}

void Observer::OnCommand(int node) {
  const std::lock_guard lock(mutex_);
  ++At(node).commands;
}

void Observer::Poll(int64_t now_us) {
  const std::lock_guard lock(mutex_);
  Outage& outage = figures_.outages.back();
  if (outage.settled_us != 0 || unsettled_ != 0) return;
  if (now_us - settled_since_us_ >= kSettledForUs) outage.settled_us = settled_since_us_;
}

FleetFigures Observer::figures() const {
  const std::lock_guard lock(mutex_);
  return figures_;
}

}  // namespace sluice::fleetsim
