// Traffic under one version: sums over nodes, and the figures a version is judged by.
//
// Pure functions; thread-safe. Reports come from strangers: lists of any length are taken.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "sluice/v1/traffic.pb.h"

namespace sluice::traffic {

// Upper bounds of the latency buckets of reports; one more bucket takes the rest.
inline constexpr std::array<uint32_t, 16> kLatencyBoundsMicros = {
    500,     1'000,   2'500,     5'000,     10'000,    25'000,     50'000,     100'000,
    250'000, 500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000, 30'000'000, 60'000'000};
inline constexpr size_t kStatusClasses = 5;  // 1xx to 5xx.

// Milliseconds under which the share `quantile` of the observations lies, by straight line within
// its bucket; 0 without any. The last bucket has no upper end: its lower one is given.
double LatencyQuantileMs(std::span<const uint64_t> cumulative, double quantile);

// Adds counters; the result is effective from the earliest beginning until the latest end, and
// still is if one of both is. Its version stays that of `sum`.
void AddTraffic(const v1::VersionTraffic& traffic, v1::VersionTraffic* sum);

v1::VersionTrafficFigures FiguresOf(const v1::VersionTraffic& traffic, int64_t now_unix_ms);

}  // namespace sluice::traffic
