#include "controlplane/serve/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <string_view>

#include "common/base/address.h"

namespace sluice::serve {
namespace {

bool IsHostName(const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_' || c == '*';
  });
  return base::IsIpAddress(name) || (!name.empty() && name.size() <= 253 && plain);
}

bool IsPrefix(std::string_view prefix) {
  return prefix.size() >= 2 && prefix.size() <= 200 && prefix.front() == '/' &&
         prefix.back() != '/' &&
         std::all_of(prefix.begin(), prefix.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

// Nothing for what is not written so.
std::optional<EtcdAddress> ParseEtcd(std::string_view text) {
  constexpr std::string_view kScheme = "etcd://";
  if (!text.starts_with(kScheme)) return std::nullopt;
  text.remove_prefix(kScheme.size());
  EtcdAddress etcd;
  if (const size_t slash = text.find('/'); slash != std::string_view::npos) {
    etcd.prefix = text.substr(slash);
    text = text.substr(0, slash);
  }
  if (!IsPrefix(etcd.prefix)) return std::nullopt;
  for (bool more = true; more;) {
    const size_t comma = text.find(',');
    more = comma != std::string_view::npos;
    const std::string endpoint(text.substr(0, comma));
    if (!base::ParseHostPort(endpoint).ok()) return std::nullopt;
    etcd.endpoints.push_back(endpoint);
    text.remove_prefix(more ? comma + 1 : text.size());
  }
  return etcd;
}

std::string StoreProblem(const ControllerOptions& options, bool listens_everywhere) {
  const bool some_tls =
      !options.etcd_ca.empty() || !options.etcd_cert.empty() || !options.etcd_key.empty();
  if (options.store == "sqlite") {
    return some_tls ? "--etcd-ca, --etcd-cert and --etcd-key are for --store etcd://…" : "";
  }
  if (!options.etcd.has_value()) {
    return fmt::format(
        "--store {}: write sqlite or etcd://HOST:PORT,HOST:PORT,…[/PREFIX], with the members of "
        "an etcd",
        options.store);
  }
  if (options.etcd_cert.empty() != options.etcd_key.empty()) {
    return "--etcd-cert and --etcd-key belong together: give both";
  }
  if (some_tls && options.etcd_ca.empty()) return "--etcd-cert needs --etcd-ca, too";
  if (!base::ParseHostPort(options.advertise_address).ok()) {
    return fmt::format("--advertise-address {}: HOST:PORT is expected", options.advertise_address);
  }
  if (listens_everywhere && options.advertise_address == options.grpc_address) {
    return fmt::format(
        "--grpc-address {}: nobody can be sent there; say with --advertise-address where the other "
        "controllers reach this one",
        options.grpc_address);
  }
  return "";
}

// Empty when all is well.
std::string Problem(const ControllerOptions& options) {
  const auto address = base::ResolveNumeric(options.grpc_address);
  if (!address.ok()) {
    return fmt::format("--grpc-address {}: {}", options.grpc_address,
                       std::string(address.status().message()));
  }
  if (std::string problem = StoreProblem(options, address->is_unspecified()); !problem.empty()) {
    return problem;
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
  flags.Text("store", &options->store, "STORE",
             "sqlite, in --data-dir; or etcd://HOST:PORT,…[/PREFIX], which several controllers "
             "share, each with a copy in its --data-dir (docs/several-controllers.md).");
  flags.Text("advertise-address", &options->advertise_address, "HOST:PORT",
             "Where the other controllers of an etcd reach this one; default: --grpc-address.");
  flags.Text("etcd-ca", &options->etcd_ca, "FILE",
             "What etcd's certificates are verified against (PEM); without it: plain text.");
  flags.Text("etcd-cert", &options->etcd_cert, "FILE", "Client certificate for etcd (PEM).");
  flags.Text("etcd-key", &options->etcd_key, "FILE", "Its private key (PEM).");
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
  options->etcd = ParseEtcd(options->store);
  if (options->advertise_address.empty()) options->advertise_address = options->grpc_address;
  const std::string problem = Problem(*options);
  if (problem.empty()) return outcome;
  std::fprintf(stderr, "sluice-controller: %s\n", problem.c_str());
  return base::Flags::Outcome::kExitUsage;
}

}  // namespace sluice::serve
