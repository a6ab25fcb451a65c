#include "dataplane/runtime/runtime_builder.h"

#include <algorithm>
#include <unordered_map>

#include "common/base/check.h"
#include "dataplane/runtime/cluster_builder.h"

namespace sluice::runtime {
namespace {

void AddError(v1::ResourceKind kind, const std::string& name, const std::string& field,
              std::string_view message, std::vector<v1::ResourceError>* errors) {
  v1::ResourceError& error = errors->emplace_back();
  error.mutable_resource()->set_kind(kind);
  error.mutable_resource()->set_name(name);
  error.set_field(field);
  error.set_message(message.data(), message.size());
}

std::shared_ptr<const tls::ServerContext> BuildTls(const BuildContext& context,
                                                   const config::ParsedSnapshot& parsed,
                                                   const v1::Listener& listener,
                                                   std::vector<v1::ResourceError>* errors) {
  tls::ServerContextOptions options;
  options.service = listener.name();
  options.ticket_keys = &context.ticket_keys;
  if (!listener.tls().min_version().empty()) options.min_version = listener.tls().min_version();
  // Whatever is spoken inside is agreed upon by others.
  if (listener.protocol() == v1::LISTENER_PROTOCOL_TCP) options.alpn = {};
  if (listener.tls().has_client_auth()) options.client_auth = &listener.tls().client_auth();
  for (const std::string& name : listener.tls().certificates()) {
    for (const v1::Certificate& certificate : parsed.certificates) {
      if (certificate.name() == name) options.certificates.push_back(&certificate);
    }
  }
  auto made = tls::ServerContext::Make(options);
  if (made.ok()) return *std::move(made);
  const auto message = made.status().message();
  AddError(v1::RESOURCE_KIND_LISTENER, listener.name(), "tls", {message.data(), message.size()},
           errors);
  return nullptr;
}

std::unique_ptr<LocalAnswer> AnswerOf(const v1::Route& route) {
  auto answer = std::make_unique<LocalAnswer>();
  if (route.has_redirect()) {
    const v1::Redirect& redirect = route.redirect();
    answer->redirect = true;
    answer->status = static_cast<uint16_t>(redirect.status() == 0 ? 308 : redirect.status());
    answer->scheme = redirect.scheme();
    answer->host = redirect.host();
    answer->path = redirect.path();
  } else {
    const v1::Respond& respond = route.respond();
    answer->status = static_cast<uint16_t>(respond.status());
    answer->body = respond.body();
    answer->content_type =
        respond.content_type().empty() ? "text/plain; charset=utf-8" : respond.content_type();
  }
  return answer;
}

// Builds one service's routes; remembers where each cluster is.
class RouteBuilder {
 public:
  RouteBuilder(observe::Registry& registry,
               const std::unordered_map<std::string, uint32_t>& cluster_index)
      : registry_(registry), cluster_index_(cluster_index) {}

  Route Build(const Service& service, const v1::Route& source) const {
    Route route;
    route.name = source.name();
    if (!source.has_forward()) {
      route.answer = AnswerOf(source);
      route.local_slot = registry_.Route(service.name, route.name, "");
      return route;
    }
    const v1::Forward& forward = source.forward();
    AddChoices(service, forward, &route);
    route.strip_prefix = forward.strip_prefix();
    route.host_rewrite = forward.host_rewrite();
    route.keep_encoded_slashes = forward.keep_encoded_slashes();
    const v1::RouteTimeouts& timeouts = forward.timeouts();
    route.connect_timeout = io::Millis(timeouts.connect_ms());
    route.first_byte_timeout = io::Millis(timeouts.first_byte_ms());
    route.per_try_timeout = io::Millis(timeouts.per_try_ms());
    route.request_timeout = io::Millis(timeouts.request_ms());
    route.idle_timeout = io::Millis(timeouts.idle_ms());
    route.tunnel_timeout = io::Millis(timeouts.tunnel_ms());
    route.upgrades.assign(forward.upgrades().begin(), forward.upgrades().end());
    route.body_bytes_max =
        forward.body_bytes() != 0 ? forward.body_bytes() : service.body_bytes_max;
    route.retry = RetryPolicy(forward);
    return route;
  }

 private:
  void AddChoices(const Service& service, const v1::Forward& forward, Route* route) const {
    uint32_t total = 0;
    for (const v1::WeightedCluster& weighted : forward.clusters()) {
      const auto found = cluster_index_.find(weighted.cluster());
      SLUICE_CHECK(found != cluster_index_.end());  // Validation has seen to it.
      route->choices.push_back(
          {found->second, registry_.Route(service.name, route->name, weighted.cluster())});
      total += weighted.weight();
      route->cumulative_weights.push_back(total);
    }
    if (route->choices.size() == 1) {
      route->cumulative_weights.clear();
      route->cumulative_weights.shrink_to_fit();
    }
  }

  observe::Registry& registry_;
  const std::unordered_map<std::string, uint32_t>& cluster_index_;
};

std::vector<base::Cidr> BlocksOf(const google::protobuf::RepeatedPtrField<std::string>& texts) {
  std::vector<base::Cidr> blocks;
  for (const std::string& text : texts) {
    auto block = base::Cidr::Parse(text);
    SLUICE_CHECK(block.ok());  // Validation has seen to it.
    blocks.push_back(*std::move(block));
  }
  return blocks;
}

std::unique_ptr<Service> BuildService(const BuildContext& context,
                                      const config::ParsedSnapshot& parsed,
                                      const v1::Listener& listener, const v1::RouteTable& table,
                                      const std::unordered_map<std::string, uint32_t>& clusters,
                                      std::vector<v1::ResourceError>* errors) {
  auto service = std::make_unique<Service>(table);
  service->name = listener.name();
  service->address = listener.address();
  service->tcp = listener.protocol() == v1::LISTENER_PROTOCOL_TCP;
  service->routes_by_name =
      service->tcp && std::any_of(table.routes().begin(), table.routes().end(),
                                  [](const v1::Route& route) { return !route.host().empty(); });
  if (listener.tls().enabled()) service->tls = BuildTls(context, parsed, listener, errors);
  service->trusted_proxies = BlocksOf(listener.trusted_proxies());
  service->proxy_header_senders = BlocksOf(listener.proxy_protocol().trusted());
  service->proxy_header_required = listener.proxy_protocol().required();
  const v1::DownstreamTimeouts& timeouts = listener.timeouts();
  service->timeouts = {.handshake = io::Millis(timeouts.handshake_ms()),
                       .header = io::Millis(timeouts.header_ms()),
                       .idle = io::Millis(timeouts.idle_ms()),
                       .keep_alive = io::Millis(timeouts.keep_alive_ms()),
                       .half_close = io::Millis(timeouts.half_close_ms())};
  const v1::DownstreamLimits& limits = listener.limits();
  if (limits.header_bytes() != 0) service->head_limits.head_bytes = limits.header_bytes();
  if (limits.header_count() != 0) service->head_limits.fields = limits.header_count();
  if (limits.target_bytes() != 0) service->head_limits.target_bytes = limits.target_bytes();
  service->body_bytes_max = limits.body_bytes();
  service->connections_max = limits.connections();
  service->slot = context.registry.Listener(service->name);
  service->no_route_slot = context.registry.Route(service->name, "", "");

  const RouteBuilder builder(context.registry, clusters);
  service->route_list.reserve(static_cast<size_t>(table.routes_size()));
  for (const v1::Route& route : table.routes()) {
    service->route_list.push_back(builder.Build(*service, route));
  }
  return service;
}

}  // namespace

std::shared_ptr<const RuntimeConfig> BuildRuntime(const BuildContext& context,
                                                  const config::ParsedSnapshot& parsed,
                                                  const v1::Version& version,
                                                  std::vector<v1::ResourceError>* errors) {
  auto runtime = std::make_shared<RuntimeConfig>(context.registry);
  runtime->version = version;
  runtime->settings = parsed.settings;

  ClusterBuilder cluster_builder(context, parsed);
  std::unordered_map<std::string, uint32_t> cluster_index;
  for (const v1::Cluster& cluster : parsed.clusters) {
    auto spec = cluster_builder.Build(cluster, errors);
    if (spec == nullptr) continue;
    cluster_index.emplace(cluster.name(), static_cast<uint32_t>(runtime->clusters.size()));
    runtime->clusters.push_back(std::move(spec));
  }
  if (!errors->empty()) return nullptr;

  for (const v1::Listener& listener : parsed.listeners) {
    const auto table = std::find_if(
        parsed.route_tables.begin(), parsed.route_tables.end(),
        [&](const v1::RouteTable& candidate) { return candidate.service() == listener.name(); });
    SLUICE_CHECK(table != parsed.route_tables.end());
    runtime->services.push_back(
        BuildService(context, parsed, listener, *table, cluster_index, errors));
  }
  return errors->empty() ? runtime : nullptr;
}

}  // namespace sluice::runtime
