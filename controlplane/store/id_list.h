// Row numbers as a blob: sorted, each as the distance to the one before, seven bits a byte. A
// version of three thousand resources takes a few KB, however often it is stored.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace sluice::store {

// `ids`: ascending, none twice, none negative.
std::string EncodeIds(const std::vector<int64_t>& ids);

// kDataLoss for what EncodeIds cannot have made.
absl::StatusOr<std::vector<int64_t>> DecodeIds(std::string_view blob);

}  // namespace sluice::store
