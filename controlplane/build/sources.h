// Makes the source map of a draft: where each resource, and each field written, stands.
#pragma once

#include "controlplane/build/snapshot_builder.h"
#include "controlplane/yaml/draft.h"

namespace sluice::build {

SourceMap MapSources(const yaml::Draft& draft, const yaml::Problems& problems);

// The most specific place known of a resource's field; empty if there is none.
std::string FindSource(const SourceMap& sources, const v1::ResourceId& resource,
                       std::string_view field);

}  // namespace sluice::build
