// Labels as operators write them.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace sluice::publish {

// `words`, separated by commas: k=v sets a label, k- takes one away. All of them or, with an error
// that says which is wrong, none.
absl::Status ChangeLabels(std::string_view words, std::map<std::string, std::string>* labels);

}  // namespace sluice::publish
