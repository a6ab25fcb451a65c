#include "tools/sluicectl/traffic_text.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "common/traffic/version_traffic.h"
#include "tools/sluicectl/format.h"
#include "tools/sluicectl/node_table.h"
#include "tools/sluicectl/table.h"

namespace sluice::sluicectl {
namespace {

// REQUESTS, REQ/S, 2XX, 3XX, 4XX, 5XX, 5XX%, P99.
void AddFigures(const v1::VersionTraffic& traffic, int64_t now_unix_ms, std::vector<Cell>* row) {
  const v1::VersionTrafficFigures figures = traffic::FiguresOf(traffic, now_unix_ms);
  row->emplace_back(fmt::format("{}", figures.requests()));
  row->emplace_back(FormatRate(figures.requests_per_second()));
  for (int i = 1; i < static_cast<int>(traffic::kStatusClasses); ++i) {
    const bool told = i < traffic.responses_by_class_size();
    row->emplace_back(told ? fmt::format("{}", traffic.responses_by_class(i)) : "");
  }
  row->emplace_back(FormatRatio(figures.error_ratio()), ErrorStyle(figures.error_ratio()));
  row->emplace_back(FormatLatency(figures.p99_ms()));
}

std::string LastedText(const v1::VersionTraffic& traffic, int64_t now_unix_ms) {
  return FormatAge(static_cast<int64_t>(traffic::FiguresOf(traffic, now_unix_ms).seconds()));
}

// By their numbers: a node names the root of what is placed on it.
bool IsSame(const v1::Version& one, const v1::Version& other) {
  return one.epoch() == other.epoch() && one.revision() == other.revision();
}

Json FiguresJson(const v1::VersionTraffic& traffic, int64_t now_unix_ms) {
  v1::VersionTrafficFigures figures = traffic::FiguresOf(traffic, now_unix_ms);
  figures.clear_version();
  return ToJson(figures);
}

}  // namespace

Text TrafficText(const TrafficList& traffic, int64_t now_unix_ms) {
  Table table({"VERSION", "FOR", "REQUESTS", "REQ/S", "2XX", "3XX", "4XX", "5XX", "5XX%", "P99"});
  for (const v1::VersionTraffic& one : traffic) {
    const bool current = one.superseded_unix_ms() == 0;
    std::vector<Cell> row;
    row.emplace_back(fmt::format("{}{}", one.version().revision(), current ? " (now)" : ""));
    row.emplace_back(LastedText(one, now_unix_ms));
    AddFigures(one, now_unix_ms, &row);
    table.AddRow(std::move(row));
  }
  return table.ToText();
}

FleetTraffic SumTraffic(const v1::FleetStatus& status, const v1::Version& version) {
  FleetTraffic sum;
  for (const v1::NodeStatus& node : status.nodes()) {
    bool told = false;
    for (const v1::VersionTraffic& traffic : node.report().traffic_by_version()) {
      const v1::Version& of = traffic.version();
      if (of.epoch() == version.epoch() && of.revision() >= version.revision()) {
        traffic::AddTraffic(traffic, &sum.since);
      }
      if (!IsSame(of, version)) continue;
      traffic::AddTraffic(traffic, &sum.under);
      told = true;
      if (traffic.superseded_unix_ms() == 0) ++sum.nodes_now;
    }
    if (told) ++sum.nodes_ever;
  }
  return sum;
}

Text FleetTrafficText(const FleetTraffic& traffic, int64_t now_unix_ms) {
  Table table({"TRAFFIC", "FOR", "REQUESTS", "REQ/S", "2XX", "3XX", "4XX", "5XX", "5XX%", "P99"});
  const auto add = [&](const char* name, const v1::VersionTraffic& of) {
    std::vector<Cell> row;
    row.emplace_back(name);
    row.emplace_back(LastedText(of, now_unix_ms));
    AddFigures(of, now_unix_ms, &row);
    table.AddRow(std::move(row));
  };
  add("under it", traffic.under);
  add("since it", traffic.since);
  return table.ToText();
}

Json FleetTrafficJson(const FleetTraffic& traffic, int64_t now_unix_ms) {
  Json json = Json::object();
  json["nodes_now"] = traffic.nodes_now;
  json["nodes_ever"] = traffic.nodes_ever;
  json["under"] = FiguresJson(traffic.under, now_unix_ms);
  json["since"] = FiguresJson(traffic.since, now_unix_ms);
  return json;
}

}  // namespace sluice::sluicectl
