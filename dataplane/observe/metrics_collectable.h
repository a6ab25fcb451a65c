// Everything the proxy counts, as Prometheus wants it. Costs nothing between scrapes.
//
// Any one thread at a time; the sources are called on that thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "dataplane/observe/metrics.h"
#include "prometheus/collectable.h"

namespace sluice::observe {

struct EndpointGauge {
  std::string upstream;
  std::string endpoint;
  bool healthy = true;
  bool ejected = false;
};

struct EjectionCount {
  std::string upstream;
  std::string reason;
  uint64_t total = 0;
};

struct PanicGauge {
  std::string upstream;
  bool panic = false;
};

struct OverloadFigures {
  struct OfResource {
    std::string resource;
    uint64_t limit = UINT64_MAX;  // None.
    uint64_t shed_total = 0;
  };
  std::vector<OfResource> resources;
  bool shedding = false;
};

struct SnapshotGauges {
  uint64_t revision = 0;  // 0: none in service.
  double age_seconds = 0;
  double apply_seconds = 0;
};

// Where figures come from that the registry does not have. An empty function: its metrics are left
// out.
struct MetricsSources {
  std::function<std::vector<EndpointGauge>()> endpoints;
  std::function<std::vector<EjectionCount>()> ejections;
  std::function<std::vector<PanicGauge>()> panics;
  std::function<SnapshotGauges()> snapshot;
  std::function<OverloadFigures()> overload;
  std::function<uint64_t()> access_log_dropped;
  std::string build_version;
};

class MetricsCollectable : public prometheus::Collectable {
 public:
  // `registry` must outlive this object.
  MetricsCollectable(const Registry& registry, MetricsSources sources);

  std::vector<prometheus::MetricFamily> Collect() const override;
  // The same as text, content type kContentType.
  std::string Render() const;
  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

 private:
  const Registry& registry_;
  const MetricsSources sources_;
};

}  // namespace sluice::observe
