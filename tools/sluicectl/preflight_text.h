// What a preflight has found, for people.
#pragma once

#include "sluice/v1/preflight.pb.h"
#include "tools/sluicectl/text.h"

namespace sluice::sluicectl {

// One line: how long it has run, on how many nodes, how many requests would change.
std::string PreflightSummaryText(const v1::PreflightSummary& summary);

// The line, then what would change, by route.
Text PreflightText(const v1::PreflightSummary& summary);

}  // namespace sluice::sluicectl
