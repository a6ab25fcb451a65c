// What a service manager (systemd, `Type=notify`) is told of this process.
#pragma once

#include "absl/status/status.h"

namespace sluice::base {

// This process is the service's main one and is ready. Success where no manager asked for it
// (NOTIFY_SOCKET, sd_notify(3)).
absl::Status NotifyReady();

}  // namespace sluice::base
