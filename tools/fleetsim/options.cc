#include "tools/fleetsim/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <limits>

#include "absl/strings/str_split.h"
#include "common/base/address.h"
#include "common/base/random.h"

namespace sluice::fleetsim {
namespace {

constexpr int kNodesMax = 20'000;  // The controller takes no more.

// What is told apart by emptiness or by words, before it is checked as a whole.
struct Words {
  std::string controllers = "127.0.0.1:7400", decode = "each";
  std::vector<std::string> labels;
};

std::string ReadWords(const Words& words, SimOptions* options) {
  options->controllers = absl::StrSplit(words.controllers, ',', absl::SkipEmpty());
  if (options->controllers.empty()) return "--controller must not be empty";
  for (const std::string& label : words.labels) {
    const size_t equals = label.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return fmt::format("--label {}: write name=value or name=value,value", label);
    }
    options->labels[label.substr(0, equals)] = absl::StrSplit(label.substr(equals + 1), ',');
  }
  if (words.decode != "each" && words.decode != "shared") {
    return fmt::format("--decode {}: write each or shared", words.decode);
  }
  options->decode_each = words.decode == "each";
  return "";
}

std::string CheckAddress(const std::string& controller, bool insecure) {
  const auto address = base::ParseHostPort(controller);
  if (!address.ok()) {
    return fmt::format("--controller {}: {}", controller, std::string(address.status().message()));
  }
  const auto numeric = base::ResolveNumeric(controller);
  const bool loopback = address->host == "localhost" || (numeric.ok() && numeric->is_loopback());
  if (!insecure || loopback) return "";
  return fmt::format("--insecure is refused for {}: plain text is for loopback only", controller);
}

// Empty when all is well.
std::string Problem(const SimOptions& options) {
  const bool tls = !options.tls_cert.empty() && !options.tls_key.empty() && !options.tls_ca.empty();
  if (!options.insecure && !tls) return "give --tls-cert, --tls-key and --tls-ca, or --insecure";
  for (const std::string& controller : options.controllers) {
    if (std::string problem = CheckAddress(controller, options.insecure); !problem.empty()) {
      return problem;
    }
  }
  if (options.slow + options.silent + options.rejecting + options.flapping > options.nodes) {
    return "--slow, --silent, --rejecting and --flapping are more than --nodes together";
  }
  if (options.reconnect_min.count() < 1 || options.reconnect_min > options.reconnect_max) {
    return "--reconnect-min must be at least 1ms and not above --reconnect-max";
  }
  if (options.flap_interval.count() < 1) return "--flap-interval must be at least 1ms";
  return "";
}

void AddFlags(base::Flags& flags, Words* words, SimOptions* options) {
  flags.Text("controller", &words->controllers, "HOST:PORT[,HOST:PORT...]",
             "The controllers; after a failure the next one is tried.");
  flags.Switch("insecure", &options->insecure, "Plain text; for a controller on this machine.");
  flags.Text("tls-cert", &options->tls_cert, "FILE", "The certificate of all nodes (PEM).");
  flags.Text("tls-key", &options->tls_key, "FILE", "Its private key (PEM).");
  flags.Text("tls-ca", &options->tls_ca, "FILE", "What the controller is verified against (PEM).");
  flags.Number("nodes", &options->nodes, 1, kNodesMax, "How many proxies to be.");
  flags.Text("node-prefix", &options->node_prefix, "TEXT", "Node ids are this and a number.");
  flags.List("label", &words->labels, "NAME=VALUE[,VALUE...]",
             "A label of every node; several values are dealt out in turn.");
  flags.Number("seed", &options->seed, 0, std::numeric_limits<int>::max(),
               "Decides who is slow and so on, and every jitter.");
  flags.Duration("duration", &options->duration, "How long to run; 0s: until a signal.");
  flags.Text("json", &options->json, "FILE", "Where the figures are written, every second.");
  flags.Number("slow", &options->slow, 0, kNodesMax, "Nodes that take --slow-delay at each step.");
  flags.Number("silent", &options->silent, 0, kNodesMax, "Nodes that say Hello and no more.");
  flags.Number("rejecting", &options->rejecting, 0, kNodesMax, "Nodes that refuse everything.");
  flags.Number("flapping", &options->flapping, 0, kNodesMax, "Nodes that reconnect all the time.");
  flags.Duration("slow-delay", &options->slow_delay, "Of slow nodes.");
  flags.Duration("flap-interval", &options->flap_interval, "Of flapping nodes, on average.");
  flags.Duration("reconnect-min", &options->reconnect_min,
                 "The least delay before connecting again.");
  flags.Duration("reconnect-max", &options->reconnect_max,
                 "The most it grows to while connecting fails.");
  flags.Duration("connect-over", &options->connect_over,
                 "The first connections are spread over this time.");
  flags.Number("requests-per-second", &options->requests_per_second, 0, 1'000'000,
               "What each node reports that it serves.");
  flags.Number("threads", &options->threads, 1, 64, "Event loops, besides gRPC's own threads.");
  flags.Text("decode", &words->decode, "each|shared",
             "each: every node decodes and verifies; shared: of nodes that received the same bytes "
             "on the same base, compared byte by byte, one does.");
  flags.Switch("warm", &options->warm,
               "One node fetches the snapshot, the others start with it, as from a disk cache.");
  flags.Text("log-level", &options->log_level, "LEVEL", "trace, debug, info, warn, error or off.");
}

}  // namespace

base::Flags::Outcome ParseSimOptions(int argc, char** argv, SimOptions* options) {
  base::Flags flags("fleetsim", "SLUICE_FLEETSIM_",
                    "Is a fleet of simulated proxies to a real controller, and measures it.");
  Words words;
  AddFlags(flags, &words, options);
  const auto outcome = flags.Parse(argc, argv);
  if (outcome != base::Flags::Outcome::kRun) return outcome;
  std::string problem = ReadWords(words, options);
  if (problem.empty()) problem = Problem(*options);
  if (problem.empty()) return outcome;
  std::fprintf(stderr, "fleetsim: %s\n", problem.c_str());
  return base::Flags::Outcome::kExitUsage;
}

std::vector<Conduct> DealConduct(const SimOptions& options) {
  std::vector<Conduct> conduct;
  const auto add = [&conduct](Conduct kind, int count) {
    conduct.insert(conduct.end(), static_cast<size_t>(count), kind);
  };
  add(Conduct::kSlow, options.slow);
  add(Conduct::kSilent, options.silent);
  add(Conduct::kRejecting, options.rejecting);
  add(Conduct::kFlapping, options.flapping);
  conduct.resize(static_cast<size_t>(options.nodes), Conduct::kGood);
  // Not std::shuffle: its result may differ between libraries.
  base::Random random(static_cast<uint64_t>(options.seed));
  for (size_t i = conduct.size(); i > 1; --i) std::swap(conduct[i - 1], conduct[random.Below(i)]);
  return conduct;
}

std::map<std::string, std::string> LabelsOf(const SimOptions& options, int node) {
  std::map<std::string, std::string> labels;
  for (const auto& [name, values] : options.labels) {
    labels[name] = values[static_cast<size_t>(node) % values.size()];
  }
  return labels;
}

}  // namespace sluice::fleetsim
