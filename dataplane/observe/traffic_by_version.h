// What was served under each of the last versions: the totals noted when they changed, subtracted.
// Costs the data path nothing.
//
// Control thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "dataplane/observe/metrics.h"
#include "sluice/v1/traffic.pb.h"

namespace sluice::observe {

class TrafficByVersion {
 public:
  // The current one and those before it; older ones are forgotten.
  static constexpr size_t kVersionsMax = 4;

  // `version` is effective from now on: what exceeds `totals` is its.
  void Begin(const v1::Version& version, const Totals& totals, int64_t now_unix_ms);

  // Newest first. `totals` are the present ones.
  void Fill(const Totals& totals,
            google::protobuf::RepeatedPtrField<v1::VersionTraffic>* out) const;
  // Since the current version became effective; since the start before there is one.
  uint64_t RequestsOfCurrent(const Totals& totals) const {
    return totals.requests - baseline_.requests;
  }

 private:
  v1::VersionTraffic Current(const Totals& totals) const;

  v1::Version version_;  // Empty root: none is effective yet.
  int64_t effective_unix_ms_ = 0;
  Totals baseline_;
  std::deque<v1::VersionTraffic> past_;  // Newest first.
};

}  // namespace sluice::observe
