// The command line of sluice-controller.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "common/base/flags.h"

namespace sluice::serve {

// An etcd that several controllers share their store in.
struct EtcdAddress {
  std::vector<std::string> endpoints;  // host:port of its members.
  std::string prefix = "/sluice";      // Of our keys; begins with a slash, ends without.
};

struct ControllerOptions {
  std::string config;  // Empty: nothing is watched.
  std::string data_dir = "./data/controller";
  std::string grpc_address = "127.0.0.1:7400";
  std::string admin_address = "127.0.0.1:7401";
  std::string store = "sqlite";
  std::optional<EtcdAddress> etcd;  // What `store` says.
  std::string advertise_address;    // Never empty once parsed.
  std::string etcd_ca, etcd_cert, etcd_key;
  std::string webhooks;  // Empty: nobody is told.
  bool insecure = false;
  std::string tls_cert, tls_key, tls_ca;  // Of an external CA; empty: the controller has its own.
  std::vector<std::string> tls_names;
  std::chrono::milliseconds node_certificate_ttl{std::chrono::hours{24}};
  std::string seal_key_file, seal_key_command;
  std::chrono::milliseconds prepare_timeout{10'000};
  std::chrono::milliseconds report_interval{2'000};
  std::string log_level = "info", log_format = "text";
};

// kRun: `options` is complete and consistent.
base::Flags::Outcome ParseControllerOptions(int argc, char** argv, ControllerOptions* options);

}  // namespace sluice::serve
