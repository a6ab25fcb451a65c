// What a draft's parts say of each other: names that lead nowhere, upstreams nobody uses, two
// services on one address.
#pragma once

#include "controlplane/yaml/draft.h"

namespace sluice::build {

void CheckReferences(const yaml::Draft& draft, yaml::Problems* problems);

}  // namespace sluice::build
