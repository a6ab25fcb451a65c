// What every verb is told: which controller, with which credentials, how to print.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tools/sluicectl/command.h"
#include "tools/sluicectl/output.h"

namespace sluice::sluicectl {

inline constexpr char kDefaultController[] = "127.0.0.1:7400";

// From, in this order: flag, SLUICECTL_* variable, context file, default.
struct GlobalOptions {
  std::string controller;
  std::string output;  // table, wide, json, yaml.
  bool insecure = false;
  std::string tls_cert;
  std::string tls_key;
  std::string tls_ca;
  bool no_color = false;
  std::string context;
  DurationMs request_timeout{10'000};  // Of calls that should answer at once.

  Format format() const;
};

std::vector<Flag> GlobalFlags(GlobalOptions* options);

// Fills what neither flag nor variable set from the context file (without --context:
// $XDG_CONFIG_HOME/sluice/context.yaml or ~/.config/sluice/context.yaml if there is one), then the
// defaults. Paths in the file are relative to its folder.
absl::Status ApplyContext(GlobalOptions* options);

}  // namespace sluice::sluicectl
