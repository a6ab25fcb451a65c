#include "dataplane/runtime/cluster_builder.h"

#include "common/base/address.h"
#include "common/base/hash.h"

namespace sluice::runtime {
namespace {

void AddError(const std::string& cluster, const std::string& field, std::string_view message,
              std::vector<v1::ResourceError>* errors) {
  v1::ResourceError& error = errors->emplace_back();
  error.mutable_resource()->set_kind(v1::RESOURCE_KIND_CLUSTER);
  error.mutable_resource()->set_name(cluster);
  error.set_field(field);
  error.set_message(message.data(), message.size());
}

std::string ServerNameOf(const v1::Cluster& cluster, const v1::Endpoint& endpoint) {
  if (!endpoint.sni().empty()) return endpoint.sni();
  if (!cluster.tls().enabled()) return "";
  if (!cluster.tls().sni().empty()) return cluster.tls().sni();
  // Verified as an address.
  const auto address = base::ParseHostPort(endpoint.address());
  return address.ok() ? address->host : "";
}

std::vector<std::string> AlpnOf(v1::UpstreamProtocol protocol) {
  switch (protocol) {
    case v1::UPSTREAM_PROTOCOL_HTTP2:
      return {"h2"};
    case v1::UPSTREAM_PROTOCOL_AUTO:
      return {"h2", "http/1.1"};
    default:
      return {"http/1.1"};
  }
}

bool NeedsTls(const v1::Cluster& cluster) {
  if (cluster.tls().enabled()) return true;
  for (const v1::Endpoint& endpoint : cluster.endpoints()) {
    if (!endpoint.sni().empty()) return true;
  }
  return false;
}

}  // namespace

ClusterBuilder::ClusterBuilder(const BuildContext& context, const config::ParsedSnapshot& parsed)
    : context_(context), parsed_(parsed) {
  if (context.previous == nullptr) return;
  for (const auto& spec : context.previous->clusters) previous_.emplace(spec->name, spec);
}

const v1::Certificate* ClusterBuilder::FindCertificate(const std::string& name) const {
  for (const v1::Certificate& certificate : parsed_.certificates) {
    if (certificate.name() == name) return &certificate;
  }
  return nullptr;
}

std::shared_ptr<upstream::Admission> ClusterBuilder::AdmissionOf(const v1::Cluster& cluster) {
  const v1::CircuitBreaker& breaker = cluster.circuit_breaker();
  const upstream::AdmissionLimits limits{
      .requests = breaker.requests(),
      .endpoint_requests = breaker.endpoint_requests(),
      .connections = breaker.connections(),
      .endpoint_connections = breaker.endpoint_connections(),
      .pending = breaker.pending(),
      .pending_timeout = io::Millis(breaker.pending_timeout_ms())};
  if (limits.requests == 0 && limits.endpoint_requests == 0 && !limits.of_connections()) {
    return nullptr;
  }
  return std::make_shared<upstream::Admission>(limits,
                                               static_cast<size_t>(cluster.endpoints_size()));
}

std::string ClusterBuilder::IdentityOf(const v1::Cluster& cluster) const {
  std::string identity = cluster.SerializeAsString();
  if (!cluster.tls().client_certificate().empty()) {
    const v1::Certificate* certificate = FindCertificate(cluster.tls().client_certificate());
    if (certificate != nullptr) identity += certificate->SerializeAsString();
  }
  return identity;
}

std::shared_ptr<const tls::ClientContext> ClusterBuilder::BuildTls(
    const v1::Cluster& cluster, std::vector<v1::ResourceError>* errors) const {
  tls::ClientOptions options;
  options.skip_verify = cluster.tls().skip_verify();
  options.ca_pem = cluster.tls().ca_pem();
  options.alpn = AlpnOf(cluster.protocol());
  if (!cluster.tls().client_certificate().empty()) {
    options.client_certificate = FindCertificate(cluster.tls().client_certificate());
  }
  auto made = tls::ClientContext::Make(options);
  if (made.ok()) return *std::move(made);
  const auto message = made.status().message();
  AddError(cluster.name(), "tls", {message.data(), message.size()}, errors);
  return nullptr;
}

std::shared_ptr<const upstream::ClusterSpec> ClusterBuilder::Build(
    const v1::Cluster& cluster, std::vector<v1::ResourceError>* errors) {
  std::string identity = IdentityOf(cluster);
  const auto same = previous_.find(cluster.name());
  if (same != previous_.end() && same->second->identity == identity) return same->second;

  // Gives its slot back with the last snapshot that has it, on the control thread.
  observe::Registry& registry = context_.registry;
  const observe::Slot slot = registry.Cluster(cluster.name());
  std::shared_ptr<upstream::ClusterSpec> spec(new upstream::ClusterSpec,
                                              [&registry, slot](upstream::ClusterSpec* gone) {
                                                registry.Release(observe::SlotKind::kCluster, slot);
                                                delete gone;
                                              });
  spec->slot = slot;
  spec->name = cluster.name();
  spec->identity = std::move(identity);
  spec->lb_strategy = cluster.lb_strategy();
  spec->hash_key = upstream::HashKey(cluster.hash_on());
  if (cluster.timeouts().connect_ms() != 0) {
    spec->connect_timeout = io::Millis(cluster.timeouts().connect_ms());
  }
  if (cluster.has_keep_alive()) {
    spec->idle_timeout = io::Millis(cluster.keep_alive().idle_ms());
    spec->idle_connections_max = cluster.keep_alive().connections();
    spec->requests_max = cluster.keep_alive().requests();
  }
  if (cluster.has_circuit_breaker()) {
    spec->retry_budget_percent = cluster.circuit_breaker().retry_budget_percent();
    spec->admission = AdmissionOf(cluster);
  }
  if (cluster.health_check().initially_unhealthy()) {
    spec->warm_up = io::Millis(cluster.health_check().warm_up_ms());
  }
  spec->slow_start = io::Millis(cluster.slow_start_ms());
  spec->protocol = cluster.protocol();
  spec->proxy_header = upstream::ProxyHeaderOf(cluster);
  if (spec->proxy_header != proxyproto::HeaderVersion::kNone) spec->idle_connections_max = 0;
  spec->panic_threshold_percent = cluster.panic_threshold_percent();
  if (NeedsTls(cluster)) {
    spec->tls = BuildTls(cluster, errors);
    if (spec->tls == nullptr) return nullptr;
  }
  const std::string transport =
      spec->tls == nullptr ? "" : base::Sha256(cluster.tls().SerializeAsString() + spec->identity);
  std::vector<std::shared_ptr<upstream::EndpointHealth>> healths;
  for (int i = 0; i < cluster.endpoints_size(); ++i) {
    const v1::Endpoint& source = cluster.endpoints(i);
    upstream::EndpointSpec& endpoint = spec->endpoints.emplace_back();
    endpoint.address = source.address();
    auto address = base::ResolveNumeric(source.address());
    if (!address.ok()) {
      const auto message = address.status().message();
      AddError(cluster.name(), "endpoints[" + std::to_string(i) + "].address",
               {message.data(), message.size()}, errors);
      return nullptr;
    }
    endpoint.socket_address = address->storage;
    endpoint.socket_address_bytes = address->length;
    endpoint.weight = source.weight() == 0 ? 1 : source.weight();
    endpoint.server_name = ServerNameOf(cluster, source);
    endpoint.health = context_.health.Watch(cluster, source, spec->tls);
    endpoint.pool_key = cluster.name() + '\n' + source.address() + '\n' + endpoint.server_name +
                        '\n' + (endpoint.server_name.empty() ? "" : transport) + '\n' +
                        v1::UpstreamProtocol_Name(cluster.protocol());
    // Connections from before the header was asked for have none.
    if (spec->proxy_header != proxyproto::HeaderVersion::kNone) endpoint.pool_key += "\nproxy";
    healths.push_back(endpoint.health);
  }
  spec->outliers = context_.outliers.Watch(cluster, std::move(healths));
  return spec;
}

}  // namespace sluice::runtime
