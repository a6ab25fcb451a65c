#include "dataplane/options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "common/base/address.h"

namespace sluice {
namespace {

std::vector<std::string> SplitCommas(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    if (comma > at) parts.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return parts;
}

std::string HostName() {
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return name;
}

// Given or not is told by emptiness; the defaults are filled in afterwards.
void FillLogOptions(const std::string& level, const std::string& format, ProxyOptions* options) {
  options->keep_log_level = !level.empty();
  options->keep_log_format = !format.empty();
  if (!level.empty()) options->log_level = level;
  if (!format.empty()) options->log_format = format;
}

// Empty when all is well.
std::string Problem(const std::vector<std::string>& labels, ProxyOptions* options) {
  for (const std::string& label : labels) {
    const size_t equals = label.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return fmt::format("--label {}: write name=value", label);
    }
    options->labels[label.substr(0, equals)] = label.substr(equals + 1);
  }
  if (options->node_id.empty()) return "--node-id must not be empty";
  if (!options->bind_host.empty() && !base::IsIpAddress(options->bind_host)) {
    return fmt::format("--bind-host {}: give an IP address", options->bind_host);
  }
  const bool tls =
      !options->tls_cert.empty() && !options->tls_key.empty() && !options->tls_ca.empty();
  const bool some_tls =
      !options->tls_cert.empty() || !options->tls_key.empty() || !options->tls_ca.empty();
  if (some_tls && !tls) return "--tls-cert, --tls-key and --tls-ca belong together: give all three";
  if (options->insecure && tls) return "--insecure and --tls-cert exclude each other";
  if ((options->insecure || tls) && !options->join_token_file.empty()) {
    return "--join-token-file gives this proxy its certificate: leave it away with --insecure and "
           "--tls-cert";
  }
  if (!options->seal_key_file.empty() && !options->seal_key_command.empty()) {
    return "--seal-key-file and --seal-key-command exclude each other";
  }
  for (const std::string& controller : options->controllers) {
    const auto address = base::ParseHostPort(controller);
    if (!address.ok()) {
      return fmt::format("--controller {}: {}", controller,
                         std::string(address.status().message()));
    }
    if (options->insecure) {
      const auto numeric = base::ResolveNumeric(controller);
      const bool loopback =
          address->host == "localhost" || (numeric.ok() && numeric->is_loopback());
      if (!loopback) {
        return fmt::format(
            "--insecure is refused for {}: plain text is for loopback only; use --join-token-file, "
            "or --tls-cert, --tls-key and --tls-ca",
            controller);
      }
    }
  }
  if (options->reconnect_min.count() < 1 || options->reconnect_min > options->reconnect_max) {
    return "--reconnect-min must be at least 1ms and not above --reconnect-max";
  }
  return "";
}

}  // namespace

base::Flags::Outcome ParseProxyOptions(int argc, char** argv, ProxyOptions* options) {
  base::Flags flags("sluice-proxy", "SLUICE_PROXY_",
                    "Serves traffic as its controller tells it, and from its last good snapshot "
                    "when there is no controller.");
  std::vector<std::string> controllers, labels;
  options->node_id = HostName();
  flags.Text("node-id", &options->node_id, "ID", "The name of this proxy in the fleet.",
             "the host's name");
  flags.List("controller", &controllers, "HOST:PORT[,HOST:PORT]",
             "Controllers, tried in order; without one the snapshot in --state-dir is served.");
  flags.Text("state-dir", &options->state_dir, "DIR", "Where the last snapshots are kept.");
  flags.List("label", &labels, "NAME=VALUE", "What is known of this proxy.");
  flags.Number("workers", &options->workers, 0, 1024,
               "Worker threads; 0: server.worker_threads of the snapshot, else one for each CPU.");
  flags.Text(
      "bind-host", &options->bind_host, "IP",
      "Replaces 0.0.0.0 and 127.0.0.1 in every address, so that a fleet fits on one machine.");
  flags.Switch("hot-restart", &options->hot_restart,
               "Takes over from the proxy that runs on --state-dir, which then drains and ends; no "
               "request is lost. Starts as usual where none runs.");
  flags.Switch("insecure", &options->insecure, "Plain text to the controller; loopback only.");
  flags.Text("join-token-file", &options->join_token_file, "FILE",
             "A token of `sluicectl token create`: with it this proxy gets its certificate, which "
             "it keeps in --state-dir and renews by itself. Needed once.");
  flags.Text("tls-cert", &options->tls_cert, "FILE",
             "This proxy's certificate (PEM), of an external CA.");
  flags.Text("tls-key", &options->tls_key, "FILE", "Its private key (PEM).");
  flags.Text("tls-ca", &options->tls_ca, "FILE",
             "What the controller's certificate is verified against (PEM).");
  flags.Text(
      "seal-key-file", &options->seal_key_file, "FILE",
      "Key that the snapshots in --state-dir are sealed with, 64 hexadecimal digits. Without "
      "it, --seal-key-command and SLUICE_PROXY_SEAL_KEY: seal.key in --state-dir, made at "
      "the first start.");
  flags.Text("seal-key-command", &options->seal_key_command, "COMMAND",
             "Program, with arguments, that prints the key.");
  flags.Text("admin-address", &options->admin_address, "IP:PORT", "Wins over admin.bind_address.");
  flags.Text("metrics-address", &options->metrics_address, "IP:PORT",
             "Wins over metrics.bind_address.");
  flags.Switch("no-admin", &options->no_admin, "Opens neither the admin nor the metrics address.");
  std::string log_level, log_format;
  flags.Text("log-level", &log_level, "LEVEL",
             "trace, debug, info, warn, error or off; wins over server.log_level. Without it: info "
             "until a snapshot says otherwise.");
  flags.Text("log-format", &log_format, "FORMAT",
             "json or text; wins over server.log_format. Without it: text until a snapshot says "
             "otherwise.");
  flags.Text("access-log", &options->access_log, "PATH",
             "Wins over logging.access_log.path; - is standard output.");
  flags.Duration("reconnect-min", &options->reconnect_min,
                 "Least delay before connecting again; a quarter of it before the next of several "
                 "controllers is tried.");
  flags.Duration("reconnect-max", &options->reconnect_max,
                 "Longest delay before connecting again.");
  const auto outcome = flags.Parse(argc, argv);
  if (outcome != base::Flags::Outcome::kRun) return outcome;
  for (const std::string& list : controllers) {
    for (std::string& one : SplitCommas(list)) options->controllers.push_back(std::move(one));
  }
  FillLogOptions(log_level, log_format, options);
  const std::string problem = Problem(labels, options);
  if (problem.empty()) return outcome;
  std::fprintf(stderr, "sluice-proxy: %s\n", problem.c_str());
  return base::Flags::Outcome::kExitUsage;
}

}  // namespace sluice
