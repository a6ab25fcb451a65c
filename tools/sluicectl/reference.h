// docs/reference/sluicectl.md, made from the verb tables.
#pragma once

#include <string>

#include "tools/sluicectl/command.h"

namespace sluice::sluicectl {

std::string MarkdownReference(const Command& root);

}  // namespace sluice::sluicectl
