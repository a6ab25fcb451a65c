#include "tools/fleetsim/figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace sluice::fleetsim {
namespace {

using nlohmann::json;

double Millis(int64_t micros) { return static_cast<double>(micros) / 1000; }

json JsonOf(const Percentiles& percentiles) {
  return {{"p50", percentiles.p50}, {"p99", percentiles.p99}, {"max", percentiles.max}};
}

std::vector<double> Since(int64_t began_us, const std::vector<int64_t>& times_us) {
  std::vector<double> millis;
  millis.reserve(times_us.size());
  for (const int64_t time_us : times_us) millis.push_back(Millis(time_us - began_us));
  return millis;
}

template <typename Field>
Percentiles Over(const FleetFigures& figures, Field field) {
  std::vector<double> values;
  for (const NodeFigures& node : figures.nodes) values.push_back(static_cast<double>(field(node)));
  return PercentilesOf(std::move(values));
}

struct Sums {
  uint64_t connected = 0, settled = 0, counted = 0, streams = 0, rejections = 0, resyncs = 0;
  uint64_t commands = 0, received_bytes = 0, snapshot_bytes = 0;
  std::map<uint64_t, uint64_t> revisions;  // Nodes by what is effective.
};

Sums SumsOf(const FleetFigures& figures) {
  Sums sums;
  for (const NodeFigures& node : figures.nodes) {
    sums.connected += node.connected;
    sums.counted += node.counted;
    sums.settled += node.counted && node.settled();
    sums.streams += node.streams;
    sums.rejections += node.rejections;
    sums.resyncs += node.resyncs;
    sums.commands += node.commands;
    sums.received_bytes += node.received_bytes;
    sums.snapshot_bytes += node.snapshot_bytes;
    ++sums.revisions[node.revision];
  }
  return sums;
}

}  // namespace

Percentiles PercentilesOf(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const auto rank = [&values](double share) {
    const double place = std::ceil(share * static_cast<double>(values.size()));
    return values[static_cast<size_t>(std::max(place, 1.0)) - 1];
  };
  return {rank(0.5), rank(0.99), values.back()};
}

json ToJson(const FleetFigures& figures) {
  const Sums sums = SumsOf(figures);
  json revisions = json::object();
  for (const auto& [revision, nodes] : sums.revisions) revisions[std::to_string(revision)] = nodes;
  json versions = json::array();
  for (const auto& [revision, version] : figures.versions) {
    versions.push_back(
        {{"revision", revision},
         {"first_offer_unix_ms", Millis(version.first_offer_us)},
         {"offered", version.offered_us.size()},
         {"offer_ms", JsonOf(PercentilesOf(Since(version.first_offer_us, version.offered_us)))},
         {"effective", version.effective_us.size()},
         {"effective_ms",
          JsonOf(PercentilesOf(Since(version.first_offer_us, version.effective_us)))}});
  }
  json outages = json::array();
  for (const Outage& outage : figures.outages) {
    outages.push_back(
        {{"began_unix_ms", Millis(outage.began_us)},
         {"streams_lost", outage.streams_lost},
         {"over", outage.settled_us != 0},
         {"settled_ms", outage.settled_us == 0 ? 0.0 : Millis(outage.settled_us - outage.began_us)},
         {"last_welcome_ms",
          outage.last_welcome_us == 0 ? 0.0 : Millis(outage.last_welcome_us - outage.began_us)}});
  }
  return {{"nodes", figures.nodes.size()},
          {"counted", sums.counted},
          {"connected", sums.connected},
          {"settled", sums.settled},
          {"revisions", revisions},
          {"streams", sums.streams},
          {"rejections", sums.rejections},
          {"resyncs", sums.resyncs},
          {"commands", sums.commands},
          {"received_bytes", sums.received_bytes},
          {"snapshot_bytes", sums.snapshot_bytes},
          {"received_bytes_per_node",
           JsonOf(Over(figures, [](const NodeFigures& n) { return n.received_bytes; }))},
          {"stream_snapshot_bytes_per_node",
           JsonOf(Over(figures, [](const NodeFigures& n) { return n.stream_snapshot_bytes; }))},
          {"versions", versions},
          {"outages", outages}};
}

std::string ToText(const FleetFigures& figures) {
  const Sums sums = SumsOf(figures);
  std::string text =
      fmt::format("connected {} of {}, settled {} of {}; {} streams, {} refusals, {} resyncs\n",
                  sums.connected, figures.nodes.size(), sums.settled, sums.counted, sums.streams,
                  sums.rejections, sums.resyncs);
  const Percentiles received = Over(figures, [](const NodeFigures& n) { return n.received_bytes; });
  const Percentiles last =
      Over(figures, [](const NodeFigures& n) { return n.stream_snapshot_bytes; });
  text += fmt::format(
      "received by a node: p50 {:.0f} B, max {:.0f} B; snapshot bytes on its last stream: p50 "
      "{:.0f} B, max {:.0f} B\n",
      received.p50, received.max, last.p50, last.max);
  for (const auto& [revision, version] : figures.versions) {
    const Percentiles took = PercentilesOf(Since(version.first_offer_us, version.effective_us));
    text += fmt::format(
        "version {}: effective on {} of {} offered; after the first offer p50 {:.1f} ms, p99 "
        "{:.1f} ms, max {:.1f} ms\n",
        revision, version.effective_us.size(), version.offered_us.size(), took.p50, took.p99,
        took.max);
  }
  for (const Outage& outage : figures.outages) {
    const std::string what = outage.streams_lost == 0
                                 ? std::string("start")
                                 : fmt::format("{} streams lost", outage.streams_lost);
    text += outage.settled_us == 0
                ? fmt::format("{}: not settled yet\n", what)
                : fmt::format("{}: settled after {:.2f} s\n", what,
                              Millis(outage.settled_us - outage.began_us) / 1000);
  }
  return text;
}

}  // namespace sluice::fleetsim
