// Shell completion, made from the verb tables.
#pragma once

#include <string>

#include "tools/sluicectl/command.h"

namespace sluice::sluicectl {

std::string BashCompletion(const Command& root);
std::string ZshCompletion(const Command& root);
std::string FishCompletion(const Command& root);

}  // namespace sluice::sluicectl
