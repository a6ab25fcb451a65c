// Every metric of the controller: name, type, meaning. The exposition and the reference are made
// from it.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::admin {

struct Sample {
  std::string labels;  // key="value",…; empty: none.
  double value;
  std::string_view suffix = {};  // Of a histogram's parts: _bucket, _sum, _count.
};

struct Metric {
  std::string_view name;
  std::string_view type;  // counter, gauge or histogram
  std::string_view labels;
  std::string_view help;
};

// In the order of the exposition.
const std::vector<Metric>& Metrics();

// Prometheus' text format. `samples` has an entry for each name of Metrics().
std::string Expose(const std::map<std::string_view, std::vector<Sample>>& samples);

// docs/reference/controller-metrics.md.
std::string MetricsReference();

}  // namespace sluice::admin
