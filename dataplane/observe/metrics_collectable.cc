#include "dataplane/observe/metrics_collectable.h"

#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <initializer_list>
#include <limits>
#include <map>
#include <sstream>
#include <utility>

#include "common/base/check.h"
#include "common/base/process.h"
#include "dataplane/observe/metrics_table.h"

namespace sluice::observe {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using LabelValues = std::initializer_list<std::string_view>;

constexpr std::array<std::string_view, kMethodCount> kMethodNames = {
    "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE", "other"};
constexpr std::array<std::string_view, kClassCount> kClassNames = {"1xx", "2xx", "3xx", "4xx",
                                                                   "5xx"};

MetricType TypeOf(MetricRow::Type type) {
  switch (type) {
    case MetricRow::Type::kCounter:
      return MetricType::Counter;
    case MetricRow::Type::kGauge:
      return MetricType::Gauge;
    case MetricRow::Type::kHistogram:
      return MetricType::Histogram;
  }
  __builtin_unreachable();
}

// Families in the order of the table; those without series are left out at the end.
class Families {
 public:
  Families() : families_(kMetricCount) {
    for (size_t i = 0; i < kMetricCount; ++i) {
      const MetricRow& row = MetricTable()[i];
      families_[i].name = row.name;
      families_[i].help = row.help;
      families_[i].type = TypeOf(row.type);
    }
  }

  void Add(Metric metric, LabelValues labels, double value) {
    ClientMetric& series = NewSeries(metric, labels);
    if (RowOf(metric).type == MetricRow::Type::kCounter) {
      series.counter.value = value;
    } else {
      series.gauge.value = value;
    }
  }
  void Add(Metric metric, LabelValues labels, uint64_t value) {
    Add(metric, labels, static_cast<double>(value));
  }
  // A sum of additions and subtractions in several places, which wrap around.
  void AddGauge(Metric metric, LabelValues labels, uint64_t value) {
    Add(metric, labels, static_cast<double>(static_cast<int64_t>(value)));
  }
  void Add(Metric metric, LabelValues labels, const HistogramSums& sums) {
    auto& histogram = NewSeries(metric, labels).histogram;
    uint64_t cumulative = 0;
    for (size_t i = 0; i < kLatencyBucketCount; ++i) {
      cumulative += sums.buckets[i];
      const double bound = i < kLatencyBoundsMicros.size()
                               ? kLatencyBoundsMicros[i] / 1e6
                               : std::numeric_limits<double>::infinity();
      histogram.bucket.push_back({cumulative, bound});
    }
    histogram.sample_count = cumulative;
    histogram.sample_sum = static_cast<double>(sums.sum_micros) / 1e6;
  }

  std::vector<MetricFamily> Take() {
    std::erase_if(families_, [](const MetricFamily& family) { return family.metric.empty(); });
    return std::move(families_);
  }

 private:
  ClientMetric& NewSeries(Metric metric, LabelValues values) {
    ClientMetric& series = families_[static_cast<size_t>(metric)].metric.emplace_back();
    std::string_view names = RowOf(metric).labels;
    for (const std::string_view value : values) {
      const size_t comma = std::min(names.find(','), names.size());
      series.label.push_back({std::string(names.substr(0, comma)), std::string(value)});
      names.remove_prefix(std::min(comma + 1, names.size()));
    }
    SLUICE_CHECK(names.empty());
    return series;
  }

  std::vector<MetricFamily> families_;
};

void AddRoute(const RouteSums& route, Families* families) {
  const LabelValues labels = {route.service, route.route, route.upstream};
  for (size_t method = 0; method < kMethodCount; ++method) {
    for (size_t code_class = 0; code_class < kClassCount; ++code_class) {
      const uint64_t count = route.requests[method][code_class];
      if (count == 0) continue;
      families->Add(Metric::kRequests,
                    {route.service, route.route, route.upstream, kMethodNames[method],
                     kClassNames[code_class]},
                    count);
    }
  }
  families->Add(Metric::kRequestDuration, labels, route.duration);
  families->Add(Metric::kRequestBodyBytes, labels, route.request_body_bytes);
  families->Add(Metric::kResponseBodyBytes, labels, route.response_body_bytes);
}

void AddListener(const ListenerSums& listener, Families* families) {
  const LabelValues labels = {listener.service};
  families->Add(Metric::kConnections, labels, listener.connections_total);
  families->AddGauge(Metric::kConnectionsActive, labels, listener.connections_active);
  families->Add(Metric::kReceivedBytes, labels, listener.bytes_received);
  families->Add(Metric::kSentBytes, labels, listener.bytes_sent);
  families->Add(Metric::kTlsHandshakes, labels, listener.tls_handshakes_total);
  families->Add(Metric::kTlsHandshakesResumed, labels, listener.tls_handshakes_resumed_total);
  families->Add(Metric::kTlsHandshakesFailed, labels, listener.tls_handshakes_failed_total);
  families->Add(Metric::kProxyHeadersRefused, labels, listener.proxy_headers_refused_total);
  families->Add(Metric::kHttp2Abuse, labels, listener.h2_abuse_total);
  for (size_t i = 1; i < kFailureCount; ++i) {
    if (listener.failures[i] == 0) continue;
    families->Add(Metric::kFailures,
                  {listener.service, http::TraitsOf(static_cast<http::Failure>(i)).code},
                  listener.failures[i]);
  }
}

void AddCluster(const ClusterSums& cluster, Families* families) {
  const LabelValues labels = {cluster.upstream};
  families->Add(Metric::kUpstreamConnects, labels, cluster.connects_total);
  families->Add(Metric::kUpstreamConnectFailures, labels, cluster.connects_failed_total);
  families->AddGauge(Metric::kUpstreamConnectionsActive, labels, cluster.connections_active);
  families->AddGauge(Metric::kUpstreamConnectionsIdle, labels, cluster.connections_idle);
  families->Add(Metric::kUpstreamPoolHits, labels, cluster.pool_hits_total);
  families->Add(Metric::kUpstreamStaleConnections, labels, cluster.stale_connections_total);
  families->Add(Metric::kUpstreamRetries, labels, cluster.retries_total);
  families->Add(Metric::kUpstreamRetriesRefused, labels, cluster.retries_refused_total);
  families->Add(Metric::kUpstreamHedges, labels, cluster.hedges_total);
  families->Add(Metric::kUpstreamHedgesWon, labels, cluster.hedges_won_total);
  families->AddGauge(Metric::kUpstreamRequestsActive, labels, cluster.requests_active);
  families->AddGauge(Metric::kUpstreamRequestsPending, labels, cluster.requests_pending);
  families->Add(Metric::kUpstreamOverflows, labels, cluster.overflows_total);
  families->Add(Metric::kUpstreamConnectionLimitHits, labels, cluster.connection_limit_hits_total);
}

void AddProcess(Families* families) {
  const base::ProcessFigures figures = base::ReadProcessFigures();
  families->Add(Metric::kProcessCpu, {}, figures.cpu_seconds);
  families->Add(Metric::kProcessResidentMemory, {}, figures.resident_bytes);
  families->Add(Metric::kProcessVirtualMemory, {}, figures.virtual_bytes);
  families->Add(Metric::kProcessOpenFiles, {}, figures.open_files);
  families->Add(Metric::kProcessOpenFilesMax, {}, figures.open_files_max);
  families->Add(Metric::kProcessStartTime, {}, figures.start_unix_seconds);
}

void AddSources(const MetricsSources& sources, Families* families) {
  if (sources.endpoints) {
    // Two checks of one node, while configurations change: a series may be there only once.
    std::map<std::pair<std::string, std::string>, EndpointGauge> endpoints;
    for (EndpointGauge& gauge : sources.endpoints()) {
      endpoints[{gauge.upstream, gauge.endpoint}] = std::move(gauge);
    }
    for (const auto& [names, gauge] : endpoints) {
      const LabelValues labels = {names.first, names.second};
      families->Add(Metric::kEndpointHealthy, labels, gauge.healthy ? 1.0 : 0.0);
      families->Add(Metric::kEndpointEjected, labels, gauge.ejected ? 1.0 : 0.0);
    }
  }
  if (sources.ejections) {
    for (const EjectionCount& count : sources.ejections()) {
      families->Add(Metric::kUpstreamEjections, {count.upstream, count.reason}, count.total);
    }
  }
  if (sources.panics) {
    for (const PanicGauge& gauge : sources.panics()) {
      families->Add(Metric::kUpstreamPanic, {gauge.upstream}, gauge.panic ? 1.0 : 0.0);
    }
  }
  if (sources.snapshot) {
    const SnapshotGauges snapshot = sources.snapshot();
    families->Add(Metric::kSnapshotRevision, {}, snapshot.revision);
    families->Add(Metric::kSnapshotAge, {}, snapshot.age_seconds);
    families->Add(Metric::kSnapshotApply, {}, snapshot.apply_seconds);
  }
  if (sources.access_log_dropped) {
    families->Add(Metric::kAccessLogDropped, {}, sources.access_log_dropped());
  }
  if (sources.overload) {
    const OverloadFigures overload = sources.overload();
    for (const auto& [resource, limit, shed_total] : overload.resources) {
      families->Add(Metric::kOverloadLimit, {resource},
                    limit == UINT64_MAX ? std::numeric_limits<double>::infinity()
                                        : static_cast<double>(limit));
      families->Add(Metric::kOverloadShed, {resource}, shed_total);
    }
    families->Add(Metric::kOverloadShedding, {}, overload.shedding ? 1.0 : 0.0);
  }
  families->Add(Metric::kBuildInfo, {sources.build_version}, 1.0);
}

}  // namespace

MetricsCollectable::MetricsCollectable(const Registry& registry, MetricsSources sources)
    : registry_(registry), sources_(std::move(sources)) {}

std::vector<MetricFamily> MetricsCollectable::Collect() const {
  Families families;
  registry_.VisitRoutes([&families](const RouteSums& sums) { AddRoute(sums, &families); });
  registry_.VisitListeners([&families](const ListenerSums& sums) { AddListener(sums, &families); });
  registry_.VisitClusters([&families](const ClusterSums& sums) { AddCluster(sums, &families); });
  AddSources(sources_, &families);
  AddProcess(&families);
  return families.Take();
}

std::string MetricsCollectable::Render() const {
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, Collect());
  return std::move(text).str();
}

}  // namespace sluice::observe
