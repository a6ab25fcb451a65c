// Stored versions as a table; `get versions` and `history` print the same.
#pragma once

#include "tools/sluicectl/show.h"

namespace sluice::sluicectl {

Subject VersionsSubject(uint32_t limit, bool wide);

}  // namespace sluice::sluicectl
