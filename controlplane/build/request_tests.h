// Runs the document's `tests:`.
#pragma once

#include "controlplane/build/resolution.h"
#include "controlplane/yaml/draft.h"

namespace sluice::build {

// Each expectation that fails is an error at its place, saying what came instead. Returns how many
// ran.
int RunRequestTests(const std::vector<yaml::TestDraft>& tests, const Resolver& resolver,
                    yaml::Problems* problems);

}  // namespace sluice::build
