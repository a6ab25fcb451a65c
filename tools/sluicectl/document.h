// What -f names, ready to be sent.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "sluice/v1/admin_service.pb.h"
#include "tools/sluicectl/console.h"

namespace sluice::sluicectl {

// The file, the directory's files, or with "-" standard input (shown as <stdin>).
absl::StatusOr<v1::Document> LoadDocument(const std::string& path, const Console& console);

// With the certificates and other files that the document names and this machine has, relative to
// the folder of `path`. Others are left to the controller, which may have them.
absl::StatusOr<v1::Document> LoadWithReferenced(const std::string& path, const Console& console);

}  // namespace sluice::sluicectl
