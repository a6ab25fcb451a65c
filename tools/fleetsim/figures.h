// The figures as people and programs read them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/fleetsim/observer.h"

namespace sluice::fleetsim {

struct Percentiles {
  double p50 = 0, p99 = 0, max = 0;
};

// By nearest rank; zeros of nothing.
Percentiles PercentilesOf(std::vector<double> values);

nlohmann::json ToJson(const FleetFigures& figures);

// Several lines: the fleet, then each version and each outage.
std::string ToText(const FleetFigures& figures);

}  // namespace sluice::fleetsim
