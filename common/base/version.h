// What this build is.
#pragma once

#include <string>
#include <string_view>

namespace sluice::base {

// Of the project, e.g. "0.1.0".
std::string_view Version();

// "0.1.0 (Release, GNU 12.2.0)": what the version verb, Hello and support bundles show.
std::string BuildInfo();

}  // namespace sluice::base
