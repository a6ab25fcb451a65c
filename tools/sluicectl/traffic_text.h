// Traffic by version: "since version 42" and the versions before it.
#pragma once

#include <cstdint>

#include "sluice/v1/admin_service.pb.h"
#include "tools/sluicectl/output.h"
#include "tools/sluicectl/text.h"

namespace sluice::sluicectl {

using TrafficList = google::protobuf::RepeatedPtrField<v1::VersionTraffic>;

// A row for each version of one node, as it lists them.
Text TrafficText(const TrafficList& traffic, int64_t now_unix_ms);

// One version over the fleet.
struct FleetTraffic {
  int nodes_now = 0;         // On which it is effective.
  int nodes_ever = 0;        // That still tell of it.
  v1::VersionTraffic under;  // While it was effective.
  v1::VersionTraffic since;  // Under it and the versions after it.
};

// Nodes remember their last few versions only, and only until their process ends.
FleetTraffic SumTraffic(const v1::FleetStatus& status, const v1::Version& version);
Text FleetTrafficText(const FleetTraffic& traffic, int64_t now_unix_ms);
Json FleetTrafficJson(const FleetTraffic& traffic, int64_t now_unix_ms);

}  // namespace sluice::sluicectl
