#include "common/config/features.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "common/base/check.h"
#include "common/preflight/tally.h"
#include "common/snapshot/delta.h"
#include "sluice/v1/certificate.pb.h"
#include "sluice/v1/cluster.pb.h"
#include "sluice/v1/listener.pb.h"
#include "sluice/v1/route.pb.h"
#include "sluice/v1/settings.pb.h"

namespace sluice::config {
namespace {

enum class Kind : uint8_t {
  kAssumed,   // A snapshot may ask for it; older than the declaring of these features.
  kProtocol,  // How the two sides talk; no snapshot asks for it.
};

struct Row {
  std::string_view name;
  Kind kind;
};

// Sorted by name.
constexpr std::array kRows = {
    Row{"circuit_breaker", Kind::kAssumed},
    Row{"client_auth", Kind::kAssumed},
    Row{"connection_limits", Kind::kAssumed},
    Row{"grpc_health_check", Kind::kAssumed},
    Row{"hedging", Kind::kAssumed},
    Row{"http2_upstream", Kind::kAssumed},
    Row{"ocsp_stapling", Kind::kAssumed},
    Row{"outlier_detection", Kind::kAssumed},
    Row{preflight::kFeature, Kind::kProtocol},
    Row{"process_limits", Kind::kAssumed},
    Row{"proxy_protocol", Kind::kAssumed},
    Row{"proxy_protocol_upstream", Kind::kAssumed},
    Row{snapshot::kResourceDeltaFeature, Kind::kProtocol},
    Row{"retry_policy", Kind::kAssumed},
    Row{"slow_start", Kind::kAssumed},
    Row{"tcp_services", Kind::kAssumed},
    Row{"warm_up", Kind::kAssumed},
};

constexpr auto kNames = [] {
  std::array<std::string_view, kRows.size()> names;
  for (size_t i = 0; i < kRows.size(); ++i) names[i] = kRows[i].name;
  return names;
}();
static_assert(std::is_sorted(kNames.begin(), kNames.end()));

bool IsOf(Kind kind, std::string_view feature) {
  return std::any_of(kRows.begin(), kRows.end(), [kind, feature](const Row& row) {
    return row.kind == kind && row.name == feature;
  });
}

class Uses {
 public:
  void Add(bool used, std::string_view feature, std::string field) {
    if (!used || Has(feature)) return;
    SLUICE_CHECK(std::binary_search(kNames.begin(), kNames.end(), feature));
    uses_.push_back({feature, std::move(field)});
  }
  bool Has(std::string_view feature) const {
    return std::any_of(uses_.begin(), uses_.end(),
                       [feature](const FeatureUse& use) { return use.feature == feature; });
  }
  std::vector<FeatureUse> Take() { return std::move(uses_); }

 private:
  std::vector<FeatureUse> uses_;
};

void Look(const v1::Cluster& cluster, Uses* uses) {
  const v1::CircuitBreaker& breaker = cluster.circuit_breaker();
  uses->Add(breaker.requests() > 0 || breaker.endpoint_requests() > 0, "circuit_breaker",
            "circuit_breaker");
  uses->Add(breaker.connections() > 0 || breaker.endpoint_connections() > 0, "connection_limits",
            "circuit_breaker");
  uses->Add(cluster.health_check().schema() == v1::HealthCheck::GRPC, "grpc_health_check",
            "health_check.schema");
  uses->Add(cluster.health_check().warm_up_ms() > 0, "warm_up", "health_check.warm_up_ms");
  uses->Add(cluster.protocol() != v1::UPSTREAM_PROTOCOL_HTTP1, "http2_upstream", "protocol");
  uses->Add(cluster.has_outlier_detection(), "outlier_detection", "outlier_detection");
  uses->Add(cluster.proxy_protocol() != v1::PROXY_PROTOCOL_NONE, "proxy_protocol_upstream",
            "proxy_protocol");
  uses->Add(cluster.slow_start_ms() > 0, "slow_start", "slow_start_ms");
}

void Look(const v1::Listener& listener, Uses* uses) {
  uses->Add(listener.tls().has_client_auth(), "client_auth", "tls.client_auth");
  uses->Add(listener.has_proxy_protocol(), "proxy_protocol", "proxy_protocol");
  uses->Add(listener.protocol() == v1::LISTENER_PROTOCOL_TCP, "tcp_services", "protocol");
}

void Look(const v1::RouteTable& table, Uses* uses) {
  for (int i = 0; i < table.routes_size(); ++i) {
    const v1::RetryPolicy& retry = table.routes(i).forward().retry();
    uses->Add(retry.hedge_after_ms() > 0, "hedging",
              fmt::format("routes[{}].forward.retry.hedge_after_ms", i));
    uses->Add(retry.on_size() > 0 || retry.non_idempotent(), "retry_policy",
              fmt::format("routes[{}].forward.retry", i));
  }
}

void Look(const v1::Settings& settings, Uses* uses) {
  uses->Add(settings.limits().connections() > 0 || settings.limits().memory_bytes() > 0,
            "process_limits", "limits");
}

void Look(const v1::Certificate& certificate, Uses* uses) {
  uses->Add(!certificate.ocsp_der().empty(), "ocsp_stapling", "ocsp_der");
}

template <typename Message>
void Look(const v1::Resource& resource, Uses* uses) {
  Message message;
  if (message.ParseFromString(resource.body())) Look(message, uses);
}

}  // namespace

std::span<const std::string_view> KnownFeatures() { return kNames; }

bool IsAssumed(std::string_view feature) { return IsOf(Kind::kAssumed, feature); }

bool IsOfProtocol(std::string_view feature) { return IsOf(Kind::kProtocol, feature); }

std::vector<FeatureUse> FeaturesOf(const v1::Resource& resource) {
  Uses uses;
  switch (resource.kind()) {
    case v1::RESOURCE_KIND_SETTINGS:
      Look<v1::Settings>(resource, &uses);
      break;
    case v1::RESOURCE_KIND_LISTENER:
      Look<v1::Listener>(resource, &uses);
      break;
    case v1::RESOURCE_KIND_ROUTE_TABLE:
      Look<v1::RouteTable>(resource, &uses);
      break;
    case v1::RESOURCE_KIND_CLUSTER:
      Look<v1::Cluster>(resource, &uses);
      break;
    case v1::RESOURCE_KIND_CERTIFICATE:
      Look<v1::Certificate>(resource, &uses);
      break;
    default:
      break;
  }
  return uses.Take();
}

}  // namespace sluice::config
