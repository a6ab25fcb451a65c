// The files of a document, read whole: one YAML file, or a directory's *.yaml and *.yml in name
// order.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "sluice/v1/admin_service.pb.h"

namespace sluice::source {

inline constexpr size_t kDocumentBytesMax = 32 * 1024 * 1024;

// What counts in a directory. Editors' leftovers (.x.yaml.swp, #x.yaml#, x.yaml~) have other
// beginnings or ends.
bool IsYamlName(std::string_view name);

// Larger than the limit, missing, not a regular file, unreadable: an error that says so and what to
// do.
absl::StatusOr<v1::Document> ReadDocument(const std::string& path);

}  // namespace sluice::source
