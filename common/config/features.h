// What may be asked of a proxy that not every release can do, by name: by a snapshot, or by how the
// two sides talk.
//
// A proxy that does not know a field ignores it: it would serve something else than what was meant.
// So proxies declare what they know, and a controller looks before it offers. A new field of that
// kind is one row in features.cc and the place where its use is seen.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/v1/snapshot.pb.h"

namespace sluice::config {

// All that this build can do, as a proxy declares it; sorted.
std::span<const std::string_view> KnownFeatures();

// What a proxy is taken to have that declares none of these: it is of before they were declared,
// and has what there was then.
bool IsAssumed(std::string_view feature);

// No snapshot asks for it.
bool IsOfProtocol(std::string_view feature);

struct FeatureUse {
  std::string_view feature;  // Of KnownFeatures().
  std::string field;         // The first place, as in v1::ResourceError.field.
};

// The features that a resource uses, each once. A body that cannot be parsed uses none; who
// validates says so.
std::vector<FeatureUse> FeaturesOf(const v1::Resource& resource);

}  // namespace sluice::config
