#include "dataplane/control/node_explain.h"

#include <fmt/format.h>
#include <strings.h>

#include <algorithm>

#include "common/base/address.h"
#include "common/base/status_macros.h"
#include "common/route/path.h"
#include "common/route/route_table.h"
#include "sluice/v1/listener.pb.h"
#include "sluice/v1/route.pb.h"

namespace sluice::control {
namespace {

using nlohmann::json;

struct Url {
  std::string authority, path;
};

absl::StatusOr<Url> ParseUrl(std::string_view text) {
  const size_t scheme = text.find("://");
  if (scheme == std::string_view::npos) {
    return absl::InvalidArgumentError(
        fmt::format("\"{}\" is no URL: write http://host/path or https://host/path", text));
  }
  text.remove_prefix(scheme + 3);
  const size_t path = std::min(text.find_first_of("/?#"), text.size());
  Url url{.authority = std::string(text.substr(0, path)), .path = std::string(text.substr(path))};
  url.path = url.path.substr(0, url.path.find_first_of("?#"));
  if (url.path.empty()) url.path = "/";
  return url;
}

// The service asked for by name, else by the URL's port, else the only one.
absl::StatusOr<v1::RouteTable> FindTable(const snapshot::Resources& resources,
                                         const v1::ExplainOnNode& request, const Url& url) {
  std::string service = request.service();
  std::vector<std::string> names;
  const auto authority = base::ParseHostPort(url.authority);
  for (const auto& resource : resources) {
    if (resource->kind() != v1::RESOURCE_KIND_LISTENER) continue;
    v1::Listener listener;
    listener.ParseFromString(resource->body());
    names.push_back(listener.name());
    const auto address = base::ParseHostPort(listener.address());
    if (service.empty() && authority.ok() && address.ok() && authority->port == address->port) {
      service = listener.name();
    }
  }
  if (service.empty() && names.size() == 1) service = names.front();
  for (const auto& resource : resources) {
    if (resource->kind() != v1::RESOURCE_KIND_ROUTE_TABLE || resource->name() != service) continue;
    v1::RouteTable table;
    table.ParseFromString(resource->body());
    return table;
  }
  if (service.empty()) {
    return absl::InvalidArgumentError(
        "there are several services: name one, or give the URL the port of one");
  }
  return absl::NotFoundError(fmt::format("there is no service called \"{}\"", service));
}

// A Host header wins over the URL, as it does with curl -H.
std::string AuthorityOf(const v1::ExplainOnNode& request, const Url& url) {
  for (const std::string& header : request.headers()) {
    if (header.size() < 5 || strncasecmp(header.data(), "host:", 5) != 0) continue;
    const size_t value = header.find_first_not_of(" \t", 5);
    return value == std::string::npos ? "" : header.substr(value);
  }
  return url.authority;
}

json UpstreamJson(const v1::WeightedCluster& weighted, const json& clusters) {
  json result = {{"upstream", weighted.cluster()}, {"weight", weighted.weight()}};
  for (const json& cluster : clusters) {
    if (cluster.value("name", "") == weighted.cluster()) {
      result["endpoints"] = cluster.value("endpoints", json::array());
    }
  }
  return result;
}

}  // namespace

absl::StatusOr<json> ExplainOnNode(const snapshot::Resources& resources, const json& clusters,
                                   const v1::ExplainOnNode& request) {
  ASSIGN_OR_RETURN(const Url url, ParseUrl(request.url()));
  ASSIGN_OR_RETURN(const v1::RouteTable source, FindTable(resources, request, url));
  const std::string authority = AuthorityOf(request, url);
  json result = {{"service", source.service()}, {"method", request.method()}};
  std::string path_scratch, host_scratch;
  std::string_view path;
  const route::NormalizedPath normalized = route::NormalizePath(url.path, &path_scratch, &path);
  if (normalized.error != route::PathError::kNone) {
    result["status"] = 400;
    result["reason"] = route::Describe(normalized.error);
    return result;
  }
  const route::RouteTable table(source);
  const route::Request routed{.host = route::HostOf(authority, &host_scratch), .path = path};
  json candidates = json::array();
  for (const auto& candidate : table.Explain(routed)) {
    candidates.push_back({{"route", source.routes(candidate.route).name()},
                          {"matched", candidate.matched},
                          {"reason", candidate.reason}});
  }
  result["host"] = routed.host;
  result["path"] = path;
  result["candidates"] = std::move(candidates);
  const int winner = table.Find(routed);
  if (winner == route::RouteTable::kNone) {
    result["status"] = 404;
    result["reason"] = "no route matches";
    return result;
  }
  const v1::Route& route = source.routes(winner);
  result["route"] = route.name();
  if (route.has_respond()) result["status"] = route.respond().status();
  if (route.has_redirect()) result["status"] = route.redirect().status();
  if (!route.has_forward()) return result;
  if (normalized.has_encoded_slash && !route.forward().keep_encoded_slashes()) {
    result["status"] = 400;
    result["reason"] = "the path has an encoded slash and the route does not keep them";
    return result;
  }
  std::string strip_scratch;
  result["path_sent"] =
      route::StripPrefix(path, route.forward().strip_prefix(), &strip_scratch).path;
  json upstreams = json::array();
  for (const auto& weighted : route.forward().clusters()) {
    upstreams.push_back(UpstreamJson(weighted, clusters));
  }
  result["upstreams"] = std::move(upstreams);
  return result;
}

}  // namespace sluice::control
