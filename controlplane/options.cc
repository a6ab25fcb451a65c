#include "controlplane/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdio>

#include "common/base/address.h"

namespace sluice {
namespace {

bool IsHostName(const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_' || c == '*';
  });
  return base::IsIpAddress(name) || (!name.empty() && name.size() <= 253 && plain);
}

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
  if ((options.insecure || tls) && !options.tls_names.empty()) {
    return "--tls-name is for the certificate that the controller makes itself: leave it away with "
           "--insecure and --tls-cert";
  }
  for (const std::string& name : options.tls_names) {
    if (!IsHostName(name)) {
      return fmt::format("--tls-name {}: a host name or an IP address is expected", name);
    }
  }
  if (options.node_certificate_ttl < std::chrono::seconds{2} ||
      options.node_certificate_ttl > std::chrono::hours{24 * 366}) {
    return "--node-certificate-ttl must lie between 2s and a year";
  }
  if (!options.seal_key_file.empty() && !options.seal_key_command.empty()) {
    return "--seal-key-file and --seal-key-command exclude each other";
  }
  if (options.insecure && !address->is_loopback()) {
    return fmt::format(
        "--insecure is refused on {}: plain text is for loopback only; leave it away, and the "
        "controller makes a CA of its own",
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
  flags.Text("webhooks", &options->webhooks, "FILE",
             "Who is told of versions, rollouts and nodes (docs/reference/webhooks.md).");
  flags.Switch("insecure", &options->insecure, "Plain text on the gRPC address; loopback only.");
  flags.Text("tls-cert", &options->tls_cert, "FILE",
             "The controller's certificate (PEM), of an external CA. Without it, and without "
             "--insecure, the controller makes a CA of its own in --data-dir.");
  flags.Text("tls-key", &options->tls_key, "FILE", "Its private key (PEM).");
  flags.Text("tls-ca", &options->tls_ca, "FILE",
             "What clients' certificates are verified against (PEM).");
  flags.List("tls-name", &options->tls_names, "NAME|IP",
             "Under which proxies and operators reach this controller, besides the host's name, "
             "localhost and --grpc-address; into the certificate of its own CA.");
  flags.Duration(
      "node-certificate-ttl", &options->node_certificate_ttl,
      "How long a proxy's certificate lasts; it renews it by itself after half of that.");
  flags.Text("seal-key-file", &options->seal_key_file, "FILE",
             "Key that secrets at rest are sealed with, 64 hexadecimal digits. Without it, "
             "--seal-key-command and SLUICE_CONTROLLER_SEAL_KEY: seal.key in --data-dir, made at "
             "the first start.");
  flags.Text("seal-key-command", &options->seal_key_command, "COMMAND",
             "Program, with arguments, that prints the key.");
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
