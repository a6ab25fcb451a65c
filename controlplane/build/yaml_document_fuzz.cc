// Any bytes as a document, through everything that happens to one. No file is read: the
// certificates a document names are sent along empty, or missing.
#include <cstddef>
#include <cstdint>
#include <string>

#include "common/base/check.h"
#include "controlplane/build/snapshot_builder.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sluice::v1::Document document;
  auto& file = *document.add_files();
  file.set_path("fuzz.yaml");
  file.set_content(data, size);
  document.add_referenced()->set_path("a.pem");
  const sluice::build::BuildOptions options{.read_disk = false, .now_unix = 1'800'000'000};
  const auto result = sluice::build::BuildSnapshot(document, options);
  // Either a snapshot, or a reason why there is none; never both, never neither.
  SLUICE_CHECK(result.ok() == !result.resources.empty());
  SLUICE_CHECK(result.ok() == (result.root.size() == 32));
  return 0;
}
