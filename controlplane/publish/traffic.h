// What a node served, as its reports count it: since its process began, or in a span of time.
#pragma once

#include <array>
#include <cstdint>

#include "sluice/v1/control_service.pb.h"
#include "sluice/v1/rollout.pb.h"

namespace sluice::publish {

struct Traffic {
  // The bounds of v1::Report.latency_buckets, milliseconds; the same as observe/metrics.h in the
  // proxy.
  static constexpr std::array<double, 16> kBoundsMs = {
      0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000};

  uint64_t requests = 0;
  uint64_t errors = 0;  // 5xx.
  // By latency, cumulative: those at most as slow as each bound; the last: all.
  std::array<uint64_t, kBoundsMs.size() + 1> buckets{};

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
