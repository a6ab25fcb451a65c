// Differences between two versions for people, and the names of resource kinds.
#pragma once

#include <google/protobuf/repeated_field.h>

#include <string>

#include "sluice/v1/admin_service.pb.h"
#include "tools/sluicectl/text.h"

namespace sluice::sluicectl {

using Changes = google::protobuf::RepeatedPtrField<v1::ResourceChange>;

// "route table api", "settings".
std::string NameOf(const v1::ResourceId& resource);

// A headline for each resource, its changed fields below.
Text ChangesText(const Changes& changes);

// "1 added, 2 changed, 0 removed".
std::string CountChanges(const Changes& changes);

}  // namespace sluice::sluicectl
