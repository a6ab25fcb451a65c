// The fleet at a glance: the verdict first, then what it rests on.
#pragma once

#include <cstdint>

#include "sluice/v1/admin_service.pb.h"
#include "tools/sluicectl/text.h"

namespace sluice::sluicectl {

Text StatusText(const v1::FleetStatus& status, int64_t now_unix_ms, bool wide);

}  // namespace sluice::sluicectl
