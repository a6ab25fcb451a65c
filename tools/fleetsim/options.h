// The command line of fleetsim.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/base/flags.h"

namespace sluice::fleetsim {

// How a node departs from what a good proxy does.
enum class Conduct : uint8_t {
  kGood,
  kSlow,       // Takes slow_delay to prepare, and as long again to be effective.
  kSilent,     // Says Hello, then nothing.
  kRejecting,  // Refuses every snapshot.
  kFlapping,   // Drops its stream every flap_interval, jittered.
};

struct SimOptions {
  std::vector<std::string> controllers;  // host:port; after a failure the next one is tried.
  bool insecure = false;
  std::string tls_cert, tls_key, tls_ca;  // PEM files.
  int nodes = 1000;
  std::string node_prefix = "sim-";
  // Each node has every name; its value is dealt out in turn.
  std::map<std::string, std::vector<std::string>> labels;
  int seed = 1;
  std::chrono::milliseconds duration{0};  // 0: until it is told to end.
  std::string json;                       // Written anew every second; empty: nowhere.
  // So many nodes, chosen by the seed; the rest is good.
  int slow = 0, silent = 0, rejecting = 0, flapping = 0;
  std::chrono::milliseconds slow_delay{2'000}, flap_interval{10'000};
  std::chrono::milliseconds reconnect_min{500}, reconnect_max{30'000};
  std::chrono::milliseconds connect_over{1'000};  // The first connections are spread over this.
  int requests_per_second = 100;                  // That each node claims to serve.
  int threads = 1;
  // False: of nodes that receive the same bytes on the same base, one decodes them.
  bool decode_each = true;
  // The first node fetches the snapshot; the others start with it, as from a cache on disk.
  bool warm = false;
  std::string log_level = "warn";
};

// kRun: `options` is complete and consistent.
base::Flags::Outcome ParseSimOptions(int argc, char** argv, SimOptions* options);

// The conduct of each node: the same options give the same.
std::vector<Conduct> DealConduct(const SimOptions& options);

// The labels of one node.
std::map<std::string, std::string> LabelsOf(const SimOptions& options, int node);

}  // namespace sluice::fleetsim
