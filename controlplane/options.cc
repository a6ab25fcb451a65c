#include "controlplane/options.h"

#include <fmt/format.h>

#include <cstdio>

#include "common/base/address.h"

namespace sluice {
namespace {

// Empty when all is well.
std::string Problem(const ControllerOptions& options) {
  if (options.store != "sqlite") {
    return fmt::format("--store {}: only sqlite is known to this release", options.store);
  }
  const auto address = base::ResolveNumeric(options.grpc_address);
  if (!address.ok()) {
    return fmt::format("--grpc-address {}: {}", options.grpc_address,
                       std::string(address.status().message()));
  }
  if (!options.admin_address.empty()) {
    if (const auto admin = base::ResolveNumeric(options.admin_address); !admin.ok()) {
      return fmt::format("--admin-address {}: {}", options.admin_address,
                         std::string(admin.status().message()));
    }
  }
  const bool tls = !options.tls_cert.empty() && !options.tls_key.empty() && !options.tls_ca.empty();
  const bool some_tls =
      !options.tls_cert.empty() || !options.tls_key.empty() || !options.tls_ca.empty();
  if (some_tls && !tls) return "--tls-cert, --tls-key and --tls-ca belong together: give all three";
  if (options.insecure && tls) return "--insecure and --tls-cert exclude each other";
  if (!options.insecure && !tls) {
    return "give --tls-cert, --tls-key and --tls-ca, or --insecure to speak plain text on loopback";
  }
  if (options.insecure && !address->is_loopback()) {
    return fmt::format(
        "--insecure is refused on {}: plain text is for loopback only; use --tls-cert, "
        "--tls-key and --tls-ca",
        options.grpc_address);
  }
  if (options.prepare_timeout.count() < 1 || options.report_interval.count() < 10) {
    return "--prepare-timeout must be at least 1ms and --report-interval at least 10ms";
  }
  return "";
}

}  // namespace

base::Flags::Outcome ParseControllerOptions(int argc, char** argv, ControllerOptions* options) {
  base::Flags flags(
      "sluice-controller", "SLUICE_CONTROLLER_",
      "Turns YAML into validated, versioned snapshots and streams them to the fleet.");
  flags.Text("config", &options->config, "FILE|DIR",
             "YAML to watch and apply; changes also come from sluicectl.");
  flags.Text("data-dir", &options->data_dir, "DIR",
             "Where versions, audit log and nodes are kept.");
  flags.Text("grpc-address", &options->grpc_address, "IP:PORT", "For proxies and sluicectl.");
  flags.Text("admin-address", &options->admin_address, "IP:PORT",
             "Health, readiness, metrics; empty: none.");
  flags.Text("store", &options->store, "KIND", "sqlite.");
  flags.Switch("insecure", &options->insecure, "Plain text on the gRPC address; loopback only.");
  flags.Text("tls-cert", &options->tls_cert, "FILE", "The controller's certificate (PEM).");
  flags.Text("tls-key", &options->tls_key, "FILE", "Its private key (PEM).");
  flags.Text("tls-ca", &options->tls_ca, "FILE",
             "What clients' certificates are verified against (PEM).");
  flags.Duration(
      "prepare-timeout", &options->prepare_timeout,
      "How long a rollout waits for a node; then the node is left behind and catches up.");
  flags.Duration("report-interval", &options->report_interval, "How often nodes report.");
  flags.Text("log-level", &options->log_level, "LEVEL", "trace, debug, info, warn, error or off.");
  flags.Text("log-format", &options->log_format, "FORMAT", "json or text.");
  const auto outcome = flags.Parse(argc, argv);
  if (outcome != base::Flags::Outcome::kRun) return outcome;
  const std::string problem = Problem(*options);
  if (problem.empty()) return outcome;
  std::fprintf(stderr, "sluice-controller: %s\n", problem.c_str());
  return base::Flags::Outcome::kExitUsage;
}

}  // namespace sluice
