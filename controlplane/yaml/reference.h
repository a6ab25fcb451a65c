// The format for people, as Markdown, made from the tables the reader works by.
#pragma once

#include <string>

#include "controlplane/yaml/key_table.h"

namespace sluice::yaml {

// docs/reference/configuration.md.
std::string ConfigurationReference();

// One block of it; also for tables of other files in the same style.
std::string BlockReference(const Block& block);

}  // namespace sluice::yaml
