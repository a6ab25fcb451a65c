// Shows something the controller knows, once or after every change.
#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "sluice/v1/admin_service.pb.h"
#include "tools/sluicectl/session.h"

namespace sluice::sluicectl {

// What was fetched, ready to be printed. `text` takes the time ages are reckoned from.
struct View {
  std::function<Text(int64_t now_unix_ms)> text;
  std::function<Json()> json;
};

struct Subject {
  // What `fetch` depends on; decides what --watch fetches anew.
  enum class Needs {
    kVersion,  // Only on which version is current; `status` is empty without --watch.
    kHistory,  // Also on versions that never ran; `status` is empty without --watch.
    kStatus,   // On the status, which is always given.
  };
  Needs needs = Needs::kStatus;
  std::function<absl::StatusOr<View>(ControllerClient& client, const v1::FleetStatus& status)>
      fetch;
};

// `watch`: on a terminal redrawn in place, else a new block (JSON: a line; YAML: a document)
// whenever it differs from the one before. Ends when the controller ends the stream.
ExitCode Show(Session& session, const Subject& subject, bool watch);

}  // namespace sluice::sluicectl
