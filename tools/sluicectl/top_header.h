// The lines above every page of `sluicectl top`: versions, nodes, load, and what is the matter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "tools/sluicectl/console.h"
#include "tools/sluicectl/text.h"
#include "tools/sluicectl/top_model.h"

namespace sluice::sluicectl {

// How many lines that took depends on the size alone, so that nothing below them jumps.
size_t AddTopHeader(const TopModel& model, const std::string& controller, const TerminalSize& size,
                    int64_t now_unix_ms, Text* out);

}  // namespace sluice::sluicectl
