#include "tools/sluicectl/config_view.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tools/sluicectl/format.h"

namespace sluice::sluicectl {
namespace {

template <typename Message>
bool Decode(const v1::Resource& resource, std::vector<Message>* out) {
  return out->emplace_back().ParseFromString(resource.body());
}

std::string Limit(uint64_t value, std::string text) { return value == 0 ? "no limit" : text; }

std::string RedirectTarget(const v1::Redirect& redirect) {
  std::string target;
  if (!redirect.scheme().empty()) target += redirect.scheme() + "://";
  target += redirect.host().empty() && !redirect.scheme().empty() ? "(host)" : redirect.host();
  target += redirect.path().empty() ? "(path)" : redirect.path();
  return target;
}

std::string Join(const google::protobuf::RepeatedPtrField<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ","));
}

std::string TlsWord(const v1::ListenerTls& tls) {
  if (!tls.enabled()) return "no";
  std::string word = tls.min_version().empty() ? "yes" : tls.min_version() + "+";
  if (!tls.has_client_auth()) return word;
  const bool optional = tls.client_auth().mode() == v1::ClientAuth::OPTIONAL;
  return word + (optional ? ", optional certificates" : ", client certificates");
}

}  // namespace

absl::StatusOr<ConfigView> DecodeConfig(const v1::GetConfigResponse& response) {
  ConfigView view;
  for (const v1::Resource& resource : response.resources()) {
    bool ok = true;
    if (resource.kind() == v1::RESOURCE_KIND_LISTENER) {
      ok = Decode(resource, &view.listeners);
    } else if (resource.kind() == v1::RESOURCE_KIND_ROUTE_TABLE) {
      ok = Decode(resource, &view.tables);
    } else if (resource.kind() == v1::RESOURCE_KIND_CLUSTER) {
      ok = Decode(resource, &view.clusters);
    }
    if (!ok) {
      return absl::DataLossError(fmt::format("the controller sent a damaged {} '{}'",
                                             v1::ResourceKind_Name(resource.kind()),
                                             resource.name()));
    }
  }
  view.certificates.assign(response.certificates().begin(), response.certificates().end());
  return view;
}

HealthView CollectHealth(const v1::FleetStatus& status) {
  std::vector<const v1::NodeStatus*> nodes;
  for (const v1::NodeStatus& node : status.nodes()) nodes.push_back(&node);
  return CollectHealth(nodes);
}

HealthView CollectHealth(const std::vector<const v1::NodeStatus*>& nodes) {
  HealthView view;
  for (const v1::NodeStatus* node : nodes) {
    if (node->state() == v1::NodeStatus::UNREACHABLE) continue;
    for (const v1::EndpointHealth& endpoint : node->report().endpoints()) {
      EndpointView& entry = view[{endpoint.cluster(), endpoint.address()}];
      ++entry.nodes;
      if (endpoint.healthy()) {
        ++entry.healthy;
      } else {
        entry.reasons.push_back(
            fmt::format("{}: {}", node->node_id(),
                        endpoint.reason().empty() ? "unhealthy" : endpoint.reason()));
      }
    }
  }
  return view;
}

std::string HealthText(const EndpointView& endpoint) {
  if (endpoint.nodes == 0) return "";
  return fmt::format("{} of {}", endpoint.healthy,
                     Count(static_cast<uint64_t>(endpoint.nodes), "node"));
}

Style HealthStyle(const EndpointView& endpoint) {
  if (endpoint.nodes == 0) return Style::kPlain;
  if (endpoint.healthy == endpoint.nodes) return Style::kGreen;
  return endpoint.healthy == 0 ? Style::kRed : Style::kYellow;
}

std::string StrategyText(const v1::Cluster& cluster) {
  switch (cluster.lb_strategy()) {
    case v1::LB_STRATEGY_LEAST_REQUEST:
      return "least_request";
    case v1::LB_STRATEGY_ROUND_ROBIN:
      return "round_robin";
    case v1::LB_STRATEGY_RANDOM:
      return "random";
    case v1::LB_STRATEGY_HASH:
      return fmt::format("hash({})", cluster.hash_on());
    default:
      return fmt::format("strategy {}", static_cast<int>(cluster.lb_strategy()));
  }
}

std::string CheckText(const v1::Cluster& cluster) {
  if (!cluster.has_health_check()) return "none";
  const v1::HealthCheck& check = cluster.health_check();
  const std::string every = FormatLatency(check.interval_ms());
  if (check.schema() == v1::HealthCheck::HTTP) {
    return fmt::format("http {} every {}", check.http_path(), every);
  }
  if (check.schema() == v1::HealthCheck::GRPC) {
    const std::string& service = check.grpc_service();
    return fmt::format("grpc {} every {}", service.empty() ? "server" : service, every);
  }
  return fmt::format("tcp every {}", every);
}

std::string ActionText(const v1::Route& route) {
  if (route.has_respond()) return fmt::format("respond {}", route.respond().status());
  if (route.has_redirect()) {
    return fmt::format("redirect {} {}", route.redirect().status(),
                       RedirectTarget(route.redirect()));
  }
  if (!route.has_forward()) return "";
  const auto& clusters = route.forward().clusters();
  if (clusters.size() == 1) return fmt::format("forward {}", clusters[0].cluster());
  double total = 0;
  for (const auto& cluster : clusters) total += cluster.weight();
  std::string text = "forward ";
  for (const auto& cluster : clusters) {
    text += fmt::format("{}{} ({})", &cluster == &clusters[0] ? "" : ", ", cluster.cluster(),
                        FormatRatio(total > 0 ? cluster.weight() / total : 0));
  }
  return text;
}

Text ServicesText(const ConfigView& config, bool wide) {
  if (config.listeners.empty()) return Text().Line("No services.");
  std::map<std::string, int> routes;
  for (const auto& table : config.tables) routes[table.service()] += table.routes_size();
  Table table({"NAME", "ADDRESS", "PROTOCOL", "TLS", "ROUTES", "CERTIFICATES", "TRUSTED-PROXIES",
               "BODY-LIMIT", "KEEP-ALIVE", "CONNECTIONS"},
              {.wide = wide, .wide_from = 5});
  for (const auto& listener : config.listeners) {
    const auto& limits = listener.limits();
    table.AddRow({listener.name(), listener.address(),
                  listener.protocol() == v1::LISTENER_PROTOCOL_TCP ? "tcp" : "http",
                  TlsWord(listener.tls()), fmt::format("{}", routes[listener.name()]),
                  Join(listener.tls().certificates()), Join(listener.trusted_proxies()),
                  Limit(limits.body_bytes(), FormatBytes(limits.body_bytes())),
                  Limit(listener.timeouts().keep_alive_ms(),
                        FormatLatency(listener.timeouts().keep_alive_ms())),
                  Limit(limits.connections(), fmt::format("{}", limits.connections()))});
  }
  return table.ToText();
}

Text RoutesText(const ConfigView& config, bool wide) {
  Table table({"SERVICE", "#", "NAME", "HOST", "PATH", "ACTION", "STRIP", "HOST-SENT", "TIMEOUT",
               "ATTEMPTS"},
              {.wide = wide, .wide_from = 6});
  for (const auto& routes : config.tables) {
    for (int i = 0; i < routes.routes_size(); ++i) {
      const v1::Route& route = routes.routes(i);
      const v1::Forward& forward = route.forward();
      table.AddRow(
          {routes.service(), fmt::format("{}", i + 1), route.name(),
           route.host().empty() ? "*" : route.host(),
           route.path_prefix().empty() ? "*" : route.path_prefix(), ActionText(route),
           forward.strip_prefix(), forward.host_rewrite(),
           route.has_forward() ? Limit(forward.timeouts().first_byte_ms(),
                                       FormatLatency(forward.timeouts().first_byte_ms()))
                               : "",
           route.has_forward()
               ? fmt::format("{}", forward.retry().attempts() == 0 ? 3 : forward.retry().attempts())
               : ""});
    }
  }
  return table.empty() ? Text().Line("No routes.") : table.ToText();
}

Text UpstreamsText(const ConfigView& config, const HealthView& health, bool wide) {
  if (config.clusters.empty()) return Text().Line("No upstreams.");
  Table table({"NAME", "STRATEGY", "ENDPOINT", "WEIGHT", "HEALTHY", "CHECK", "SNI",
               "CONNECT-TIMEOUT", "WHY"},
              {.wide = wide, .wide_from = 5});
  for (const auto& cluster : config.clusters) {
    const auto& tls = cluster.tls();
    for (const auto& endpoint : cluster.endpoints()) {
      const auto found = health.find({cluster.name(), endpoint.address()});
      const EndpointView view = found == health.end() ? EndpointView{} : found->second;
      const std::string sni =
          !endpoint.sni().empty() ? endpoint.sni() : (tls.enabled() ? tls.sni() : "");
      table.AddRow({cluster.name(),
                    StrategyText(cluster),
                    endpoint.address(),
                    fmt::format("{}", endpoint.weight()),
                    {HealthText(view), HealthStyle(view)},
                    CheckText(cluster),
                    sni,
                    FormatLatency(cluster.timeouts().connect_ms()),
                    fmt::format("{}", fmt::join(view.reasons, "; "))});
    }
    if (cluster.endpoints().empty()) {
      table.AddRow(
          {cluster.name(), StrategyText(cluster), "", "", "", CheckText(cluster), "", "", ""});
    }
  }
  return table.ToText();
}

Json UpstreamsJson(const ConfigView& config, const HealthView& health) {
  Json array = Json::array();
  for (const auto& cluster : config.clusters) {
    Json object = ToJson(cluster);
    Json endpoints = Json::array();
    for (const auto& endpoint : cluster.endpoints()) {
      const auto found = health.find({cluster.name(), endpoint.address()});
      const EndpointView view = found == health.end() ? EndpointView{} : found->second;
      Json entry = Json::object();
      entry["address"] = endpoint.address();
      entry["healthy_nodes"] = view.healthy;
      entry["nodes"] = view.nodes;
      entry["reasons"] = view.reasons;
      endpoints.push_back(std::move(entry));
    }
    object["health"] = std::move(endpoints);
    array.push_back(std::move(object));
  }
  return array;
}

}  // namespace sluice::sluicectl
