// Everything known of one node, for people.
#pragma once

#include <cstdint>

#include "sluice/v1/admin_service.pb.h"
#include "tools/sluicectl/text.h"

namespace sluice::sluicectl {

Text NodeText(const v1::NodeStatus& node, int64_t now_unix_ms);

}  // namespace sluice::sluicectl
