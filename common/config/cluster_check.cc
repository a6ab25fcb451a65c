#include <limits>
#include <unordered_set>

#include "common/base/address.h"
#include "common/config/certificate.h"
#include "common/config/checks.h"
#include "common/config/words.h"

namespace sluice::config {
namespace {

constexpr uint32_t kCheckIntervalMinMs = 10;
constexpr uint32_t kCheckMaxMs = 60 * 60 * 1000;
constexpr uint32_t kWarmUpMaxMs = 5000;  // Controllers wait twice as long for an answer.
constexpr uint32_t kCheckCountMax = 1000;
constexpr uint32_t kIdleConnectionsMax = 100'000;

std::string HashOnProblem(std::string_view hash_on) {
  if (hash_on.empty() || hash_on == "client_ip" || hash_on == "path") return {};
  const size_t colon = hash_on.find(':');
  if (colon != std::string_view::npos) {
    const std::string_view kind = hash_on.substr(0, colon);
    const std::string_view name = hash_on.substr(colon + 1);
    if ((kind == "header" || kind == "cookie") && IsToken(name)) return {};
    if (kind == "query" && !name.empty() && name.find_first_of("&=# ") == std::string_view::npos) {
      return {};
    }
  }
  return fmt::format(
      "'{}' is not supported; use client_ip, path, header:NAME, cookie:NAME or query:NAME",
      hash_on);
}

std::string EndpointAddressProblem(const std::string& address) {
  std::string problem = AddressProblem(address);
  if (problem.empty() && base::ResolveNumeric(address)->is_unspecified()) {
    problem = fmt::format("'{}' is no address to connect to; give the server's own", address);
  }
  return problem;
}

void CheckEndpoints(const v1::Cluster& cluster, ResourceErrors* errors) {
  if (cluster.endpoints().empty()) {
    errors->Add("endpoints", "the upstream has no node; give one at least");
  }
  if (cluster.endpoints_size() > kEndpointsMax) {
    errors->Add("endpoints", fmt::format("{} nodes are too many; give at most {}",
                                         cluster.endpoints_size(), kEndpointsMax));
    return;
  }
  uint64_t weights = 0;
  std::unordered_set<std::string> seen;
  for (int i = 0; i < cluster.endpoints_size(); ++i) {
    const v1::Endpoint& endpoint = cluster.endpoints(i);
    const std::string at = fmt::format("endpoints[{}]", i);
    std::string problem = EndpointAddressProblem(endpoint.address());
    // Compared as bytes, so that [::1] and [0::1] are the same node.
    if (problem.empty() &&
        !seen.insert(base::ResolveNumeric(endpoint.address())->ToString()).second) {
      problem = fmt::format("'{}' occurs twice; give it a weight instead", endpoint.address());
    }
    AddProblem(at + ".address", std::move(problem), errors);
    if (endpoint.weight() < 1 || endpoint.weight() > kWeightMax) {
      errors->Add(at + ".weight",
                  fmt::format("{} is out of range; give 1 to {}", endpoint.weight(), kWeightMax));
    }
    weights += endpoint.weight();
    if (!endpoint.sni().empty()) AddProblem(at + ".sni", SniProblem(endpoint.sni()), errors);
  }
  if (weights > std::numeric_limits<uint32_t>::max()) {
    errors->Add("endpoints", "the weights add up to more than 32 bits hold; make them smaller");
  }
}

void CheckRange(const std::string& field, uint32_t value, uint32_t min, uint32_t max,
                ResourceErrors* errors) {
  if (value >= min && value <= max) return;
  errors->Add(field, fmt::format("{} is out of range; give {} to {}", value, min, max));
}

void CheckHealthCheck(const v1::Cluster& cluster, ResourceErrors* errors) {
  const v1::HealthCheck& check = cluster.health_check();
  CheckRange("health_check.interval_ms", check.interval_ms(), kCheckIntervalMinMs, kCheckMaxMs,
             errors);
  CheckRange("health_check.timeout_ms", check.timeout_ms(), 1, kCheckMaxMs, errors);
  CheckRange("health_check.healthy_after", check.healthy_after(), 1, kCheckCountMax, errors);
  CheckRange("health_check.warm_up_ms", check.warm_up_ms(), 0, kWarmUpMaxMs, errors);
  CheckRange("health_check.unhealthy_after", check.unhealthy_after(), 1, kCheckCountMax, errors);
  if (check.schema() == v1::HealthCheck::TCP) return;
  if (!check.http_host().empty()) {
    AddProblem("health_check.http_host", AuthorityProblem(check.http_host()), errors);
  }
  if (check.schema() == v1::HealthCheck::GRPC) {
    AddProblem("health_check.grpc_service", GrpcServiceProblem(check.grpc_service()), errors);
    if (cluster.protocol() == v1::UPSTREAM_PROTOCOL_HTTP1) {
      errors->Add("health_check.schema",
                  "gRPC needs HTTP/2; give the upstream protocol: http2, or check by tcp or http");
    }
    return;
  }
  if (check.schema() != v1::HealthCheck::HTTP) {
    errors->Add("health_check.schema", "the schema is not known here; use tcp, http or grpc");
    return;
  }
  AddProblem("health_check.http_path", TargetProblem(check.http_path()), errors);
  for (int i = 0; i < check.expected_statuses_size(); ++i) {
    CheckRange(fmt::format("health_check.expected_statuses[{}]", i), check.expected_statuses(i),
               200, 599, errors);
  }
}

void CheckTls(const v1::UpstreamTls& tls, const Known& known, ResourceErrors* errors) {
  if (!tls.sni().empty()) AddProblem("tls.sni", SniProblem(tls.sni()), errors);
  if (!tls.ca_pem().empty()) {
    const absl::Status status = CheckCaBundle(tls.ca_pem());
    if (!status.ok()) errors->Add("tls.ca_pem", std::string(status.message()));
  }
  const std::string& client = tls.client_certificate();
  if (!client.empty() && known.certificates.count(client) == 0) {
    errors->Add("tls.client_certificate",
                UnknownReference("certificate", client, known.certificates));
  }
}

void CheckProtocol(const v1::Cluster& cluster, ResourceErrors* errors) {
  if (!v1::ProxyProtocol_IsValid(cluster.proxy_protocol())) {
    errors->Add("proxy_protocol", "the version is not known here; use none, v1 or v2");
  }
  if (!v1::UpstreamProtocol_IsValid(cluster.protocol())) {
    errors->Add("protocol", "the protocol is not known here; use http1, http2 or auto");
  }
  if (cluster.proxy_protocol() != v1::PROXY_PROTOCOL_NONE &&
      cluster.protocol() != v1::UPSTREAM_PROTOCOL_HTTP1) {
    errors->Add("protocol",
                "a connection of HTTP/2 serves many clients, and the header of proxy_protocol "
                "names one; use http1, or remove proxy_protocol");
  }
}

}  // namespace

void CheckCluster(const v1::Cluster& cluster, const Known& known, ResourceErrors errors) {
  AddProblem("name", NameProblem(cluster.name()), &errors);
  if (!v1::LbStrategy_IsValid(cluster.lb_strategy())) {
    errors.Add("lb_strategy",
               "the strategy is not known here; use round_robin, random, hash or least_request");
  }
  CheckProtocol(cluster, &errors);
  AddProblem("hash_on", HashOnProblem(cluster.hash_on()), &errors);
  CheckEndpoints(cluster, &errors);
  if (cluster.has_health_check()) CheckHealthCheck(cluster, &errors);
  CheckTls(cluster.tls(), known, &errors);
  AddProblem("timeouts.connect_ms", DurationProblem(cluster.timeouts().connect_ms()), &errors);
  AddProblem("keep_alive.idle_ms", DurationProblem(cluster.keep_alive().idle_ms()), &errors);
  CheckRange("keep_alive.connections", cluster.keep_alive().connections(), 0, kIdleConnectionsMax,
             &errors);
  CheckRange("circuit_breaker.retry_budget_percent",
             cluster.circuit_breaker().retry_budget_percent(), 0, 100, &errors);
  AddProblem("circuit_breaker.pending_timeout_ms",
             DurationProblem(cluster.circuit_breaker().pending_timeout_ms()), &errors);
  if (cluster.has_outlier_detection()) {
    const v1::OutlierDetection& outliers = cluster.outlier_detection();
    for (const auto& [field, milliseconds] : {std::pair{"interval_ms", outliers.interval_ms()},
                                              {"base_ejection_ms", outliers.base_ejection_ms()},
                                              {"max_ejection_ms", outliers.max_ejection_ms()}}) {
      const std::string at = fmt::format("outlier_detection.{}", field);
      if (milliseconds == 0) errors.Add(at, "0 is no time; give 100 ms at least");
      AddProblem(at, DurationProblem(milliseconds), &errors);
    }
    CheckRange("outlier_detection.max_ejected_percent", outliers.max_ejected_percent(), 0, 99,
               &errors);
  }
  AddProblem("slow_start_ms", DurationProblem(cluster.slow_start_ms()), &errors);
  CheckRange("panic_threshold_percent", cluster.panic_threshold_percent(), 0, 100, &errors);
}

}  // namespace sluice::config
