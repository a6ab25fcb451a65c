// What every verb is told: which controller, with which credentials, how to print.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tools/sluicectl/command.h"
#include "tools/sluicectl/output.h"

namespace sluice::sluicectl {

inline constexpr char kDefaultController[] = "127.0.0.1:7400";

// From, in this order: flag, SLUICECTL_* variable, context file, the credential that a controller
// on this machine has made for its operator, default.
struct GlobalOptions {
  std::string controller;
  std::string output;  // table, wide, json, yaml.
  bool insecure = false;
  std::string tls_cert;
  std::string tls_key;
  std::string tls_ca;
  std::string token_file;
  bool no_color = false;
  std::string context;
  DurationMs request_timeout{10'000};  // Of calls that should answer at once.

  Format format() const;
  // Something to show to the controller, or the wish to show nothing.
  bool has_credentials() const {
    return insecure || !tls_cert.empty() || !tls_key.empty() || !tls_ca.empty() ||
           !token_file.empty();
  }
};

std::vector<Flag> GlobalFlags(GlobalOptions* options);

// Fills what neither flag nor variable set from the context file (without --context:
// $XDG_CONFIG_HOME/sluice/context.yaml or ~/.config/sluice/context.yaml if there is one); if there
// are no credentials yet, from operator/context.yaml in the data directory of a controller here
// ($SLUICE_CONTROLLER_DATA_DIR, else ./data/controller if nobody but us or root can write there);
// then the defaults. Paths in a file are relative to its folder.
absl::Status ApplyContext(GlobalOptions* options);

}  // namespace sluice::sluicectl
