// Every metric of the proxy: one row each. docs/reference/metrics.md is made of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::observe {

enum class Metric : uint8_t {
  kRequests,
  kRequestDuration,
  kRequestBodyBytes,
  kResponseBodyBytes,
  kFailures,
  kConnections,
  kConnectionsActive,
  kReceivedBytes,
  kSentBytes,
  kTlsHandshakes,
  kTlsHandshakesResumed,
  kTlsHandshakesFailed,
  kProxyHeadersRefused,
  kHttp2Abuse,
  kUpstreamConnects,
  kUpstreamConnectFailures,
  kUpstreamConnectionsActive,
  kUpstreamConnectionsIdle,
  kUpstreamPoolHits,
  kUpstreamStaleConnections,
  kUpstreamRetries,
  kUpstreamRetriesRefused,
  kUpstreamHedges,
  kUpstreamHedgesWon,
  kUpstreamRequestsActive,
  kUpstreamRequestsPending,
  kUpstreamOverflows,
  kUpstreamConnectionLimitHits,
  kEndpointHealthy,
  kEndpointEjected,
  kUpstreamEjections,
  kUpstreamPanic,
  kSnapshotRevision,
  kSnapshotAge,
  kSnapshotApply,
  kAccessLogDropped,
  kOverloadLimit,
  kOverloadShed,
  kOverloadShedding,
  kBuildInfo,
  kProcessCpu,
  kProcessResidentMemory,
  kProcessVirtualMemory,
  kProcessOpenFiles,
  kProcessOpenFilesMax,
  kProcessStartTime,
  kCount,
};

inline constexpr size_t kMetricCount = static_cast<size_t>(Metric::kCount);

struct MetricRow {
  enum class Type : uint8_t { kCounter, kGauge, kHistogram };
  std::string_view name;
  Type type;
  std::string_view labels;  // Separated by commas, in the order they are given.
  std::string_view help;
};

// In the order of Metric.
const std::array<MetricRow, kMetricCount>& MetricTable();
inline const MetricRow& RowOf(Metric metric) { return MetricTable()[static_cast<size_t>(metric)]; }

// docs/reference/metrics.md.
std::string MetricsReference();

}  // namespace sluice::observe
