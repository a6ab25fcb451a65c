// The command line of sluice-proxy.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "common/base/flags.h"

namespace sluice {

struct ProxyOptions {
  std::string node_id;
  std::vector<std::string> controllers;
  std::string state_dir = "./data/proxy";
  std::map<std::string, std::string> labels;
  int workers = 0;  // 0: as the settings say, else one for each CPU.
  std::string bind_host;
  bool hot_restart = false;
  bool insecure = false;
  std::string tls_cert, tls_key, tls_ca;  // Of an external CA; empty: this proxy joins, or has.
  std::string join_token_file;
  std::string seal_key_file, seal_key_command;
  std::string admin_address, metrics_address;
  bool no_admin = false;
  std::string log_level = "info", log_format = "text";
  bool keep_log_level = false, keep_log_format = false;  // Given: they win over the settings.
  std::string access_log;
  std::chrono::milliseconds reconnect_min{500}, reconnect_max{30'000};
};

// kRun: `options` is complete and consistent. Whether --state-dir has a snapshot, which a proxy
// without --controller needs, is for the caller to find out.
base::Flags::Outcome ParseProxyOptions(int argc, char** argv, ProxyOptions* options);

}  // namespace sluice
