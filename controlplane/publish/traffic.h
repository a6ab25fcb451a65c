// What a node served, as its reports count it: since its process began, or in a span of time.
#pragma once

#include <array>
#include <cstdint>

#include "common/traffic/version_traffic.h"
#include "sluice/v1/control_service.pb.h"
#include "sluice/v1/rollout.pb.h"

namespace sluice::publish {

struct Traffic {
  uint64_t requests = 0;
  uint64_t errors = 0;  // 5xx.
  // By latency, cumulative: those at most as slow as each bound; the last: all.
  std::array<uint64_t, traffic::kLatencyBoundsMicros.size() + 1> buckets{};

  Traffic& operator+=(const Traffic& other);
  bool operator==(const Traffic&) const = default;

  double error_ratio() const;  // 0 without requests.
  // Within the bucket in which the 99th percentile lies, by straight line; 0 without requests.
  double P99Ms() const;
};

// A counter that shrank began anew: then `now` is all that is known.
Traffic Since(const Traffic& before, const Traffic& now);

Traffic TrafficOf(const v1::Report& report);
Traffic TrafficOf(const v1::TrafficFigures& figures);
v1::TrafficFigures FiguresOf(const Traffic& traffic);

}  // namespace sluice::publish
