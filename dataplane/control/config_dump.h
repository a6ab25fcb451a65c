// A snapshot as JSON for people, without its secrets.
#pragma once

#include "common/snapshot/snapshot.h"
#include "nlohmann/json.hpp"

namespace sluice::control {

// {"version": {epoch, revision, root}, "resources": [{kind, name, sha256, body}]}. Of a certificate
// the body has only what is public, and the SHA-256 of its key.
nlohmann::json DumpConfig(const snapshot::Resources& resources, const v1::Version& version);

}  // namespace sluice::control
