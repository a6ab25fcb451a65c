// Certificates of a version: names, issuer, expiry, and where they are used.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/sluicectl/config_view.h"

namespace sluice::sluicectl {

// "service web", "upstream users", in the order of the configuration.
std::vector<std::string> UsesOf(const ConfigView& config, const std::string& certificate);

Text CertificatesText(const ConfigView& config, int64_t now_unix_ms, bool wide);
// Each with `used_by`.
Json CertificatesJson(const ConfigView& config);

}  // namespace sluice::sluicectl
