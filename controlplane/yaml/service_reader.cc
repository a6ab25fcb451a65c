#include "controlplane/yaml/service_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/route/match.h"
#include "controlplane/yaml/checks.h"
#include "controlplane/yaml/format.h"

namespace sluice::yaml {
namespace {

// Keys that say how a request is sent upstream.
constexpr std::string_view kForwardKeys[] = {"strip_prefix", "host_rewrite", "keep_encoded_slashes",
                                             "timeouts",     "body_bytes",   "retry",
                                             "upgrades"};

// Keys of a route that mean nothing where bytes are passed on as they are.
constexpr std::string_view kHttpKeys[] = {
    "path_prefix",          "strip_prefix", "host_rewrite", "respond",
    "keep_encoded_slashes", "body_bytes",   "redirect",     "upgrades"};

// And of the service itself.
struct HttpOnly {
  std::string_view block, key;
};
constexpr HttpOnly kHttpOnly[] = {
    {"", "trusted_proxies"},    {"timeouts", "idle"},       {"timeouts", "keep_alive"},
    {"timeouts", "half_close"}, {"limits", "header_bytes"}, {"limits", "header_count"},
    {"limits", "target_bytes"}, {"limits", "body_bytes"},
};

// And of its upstreams.
struct UpstreamHttpOnly {
  std::string_view block, key, remedy;
};
constexpr std::string_view kInARow = "nodes are judged by consecutive_failures there";
constexpr UpstreamHttpOnly kUpstreamHttpOnly[] = {
    {"", "keep_alive", "connections are not used again there"},
    {"circuit_breaker", "retry_budget_percent", "each node is tried once there"},
    {"outlier_detection", "success_deviations_percent", kInARow},
    {"outlier_detection", "latency_percent", kInARow},
    {"outlier_detection", "requests_min", kInARow},
    {"outlier_detection", "nodes_min", kInARow},
};

constexpr uint32_t kTargetBytes = 16384;

// Validation wants the same; said here, it has the document's own path.
std::string RespondProblem(const v1::Respond& respond) {
  constexpr size_t kBodyBytesMax = 64 * 1024;
  const bool bodiless = respond.status() == 204 || respond.status() == 304;
  if (bodiless && !respond.body().empty()) {
    return fmt::format("an answer with status {} has no body; remove it", respond.status());
  }
  if (respond.body().size() <= kBodyBytesMax) return {};
  return fmt::format("{} bytes of body are too many; give at most {}", respond.body().size(),
                     kBodyBytesMax);
}

std::optional<Mention> MaybeMention(YamlNode node, const Path& path) {
  if (!IsText(node)) return std::nullopt;
  return MentionOf(node, path);
}

std::string RedirectProblem(const v1::Redirect& redirect) {
  const uint32_t status = redirect.status();
  if (status == 304 || status == 305 || status == 306) {
    return fmt::format("{} is no redirect; use 301, 302, 303, 307 or 308", status);
  }
  if (redirect.scheme().empty() && redirect.host().empty() && redirect.path().empty()) {
    return "leads to where the request came from; give scheme, host or path";
  }
  return {};
}

}  // namespace

bool ServiceReader::NoteName(const Mention& name, std::string_view what, NamesSeen* seen) {
  const auto [first, inserted] = seen->emplace(name.text, name.place);
  if (inserted) return true;
  problems_->Error(name.place, name.path,
                   fmt::format("another {} is named {}, at {}; rename one", what, Quoted(name.text),
                               problems_->Format(first->second)));
  return false;
}

void ServiceReader::Read(YamlNode node, const Path& path) {
  ServiceDraft service;
  const Found found =
      reader_->Read(kService, node, path, &service.listener, &service.listener_places, "");
  if (node.kind() != NodeKind::kMapping) return;
  service.name = MentionOf(found, path, "name");
  CheckLimits(found.value("limits"), Path(path, "limits"), service.listener.mutable_limits());
  ReadTls(found.value("tls"), Path(path, "tls"), &service);
  if (service.listener.protocol() == v1::LISTENER_PROTOCOL_TCP) CheckTcpService(node, path);
  if (const YamlNode routes = found.value("routes"))
    ReadRoutes(routes, Path(path, "routes"), &service);
  if (service.name.text.empty() || !NoteName(service.name, "service", &services_seen_)) return;
  service.routes.set_service(service.name.text);
  draft_->services.push_back(std::move(service));
}

void ServiceReader::CheckLimits(YamlNode node, const Path& path, v1::DownstreamLimits* limits) {
  const YamlNode target = ValueOf(node, "target_bytes");
  if (!target) {
    limits->set_target_bytes(std::min(kTargetBytes, limits->header_bytes()));
  } else if (limits->header_bytes() > 0 && limits->target_bytes() > limits->header_bytes()) {
    problems_->Error(target.place(), Path(path, "target_bytes").ToString(),
                     fmt::format("{} is more than header_bytes ({}), which includes the target",
                                 limits->target_bytes(), limits->header_bytes()));
  }
}

void ServiceReader::ReadTls(YamlNode node, const Path& path, ServiceDraft* service) {
  if (!node || node.kind() != NodeKind::kMapping) return;
  v1::Listener* const listener = &service->listener;
  const YamlNode certificate = ValueOf(node, "cert_path");
  const YamlNode key = ValueOf(node, "key_path");
  const YamlNode ocsp = ValueOf(node, "ocsp_path");
  if (static_cast<bool>(certificate) != static_cast<bool>(key)) {
    const YamlNode given = certificate ? certificate : key;
    problems_->Error(
        given.place(), Path(path, certificate ? "cert_path" : "key_path").ToString(),
        fmt::format("'{}' is missing beside it", certificate ? "key_path" : "cert_path"));
  } else if (IsText(certificate) && IsText(key)) {
    AddCertificate(MentionOf(certificate, Path(path, "cert_path")),
                   MentionOf(key, Path(path, "key_path")),
                   MaybeMention(ocsp, Path(path, "ocsp_path")), listener);
  } else if (ocsp && !certificate) {
    problems_->Error(ocsp.place(), Path(path, "ocsp_path").ToString(),
                     "'cert_path' is missing beside it");
  }
  const YamlNode list = ValueOf(node, "certificates");
  if (list) ReadCertificates(list, Path(path, "certificates"), listener);
  if (listener->tls().enabled() && !certificate && !key && !list) {
    problems_->Error(node.place(), path.ToString(),
                     "TLS needs a certificate; give 'cert_path' and 'key_path'");
  }
  if (const YamlNode auth = ValueOf(node, "client_auth")) {
    service->client_ca =
        MaybeMention(ValueOf(auth, "ca_path"), Path(Path(path, "client_auth"), "ca_path"));
    if (!listener->tls().enabled()) {
      problems_->Error(auth.place(), Path(path, "client_auth").ToString(),
                       "without TLS nobody is asked for a certificate; enable TLS or remove it");
    }
  }
}

void ServiceReader::ReadCertificates(YamlNode list, const Path& path, v1::Listener* listener) {
  if (!reader_->ExpectList(list, path)) return;
  size_t index = 0;
  for (YamlNode item = list.first(); item; item = item.next_in(list), ++index) {
    const Path item_path(path, index);
    const Found found = reader_->Read(kCertificate, item, item_path, nullptr, nullptr, "");
    if (!found.valid()) continue;
    AddCertificate(MentionOf(found, item_path, "cert_path"),
                   MentionOf(found, item_path, "key_path"),
                   MaybeMention(found.value("ocsp_path"), Path(item_path, "ocsp_path")), listener);
  }
}

void ServiceReader::AddCertificate(const Mention& certificate, const Mention& key,
                                   std::optional<Mention> ocsp, v1::Listener* listener) {
  const auto& known = listener->tls().certificates();
  const std::string name = certificates_->Add(certificate, key, std::move(ocsp));
  if (std::find(known.begin(), known.end(), name) != known.end()) {
    problems_->Error(certificate.place, certificate.path,
                     fmt::format("{} is given twice; remove one", Quoted(name)));
    return;
  }
  listener->mutable_tls()->add_certificates(name);
}

void ServiceReader::ReadRoutes(YamlNode list, const Path& path, ServiceDraft* service) {
  if (!reader_->ExpectList(list, path, kRoutesMax)) return;
  NamesSeen seen;
  size_t index = 0;
  for (YamlNode node = list.first(); node; node = node.next_in(list), ++index) {
    ReadRoute(node, Path(path, index), service, &seen);
  }
}

void ServiceReader::ReadRoute(YamlNode node, const Path& path, ServiceDraft* service,
                              NamesSeen* seen) {
  FieldPlaces& places = service->route_places;
  v1::Route& route = *service->routes.add_routes();
  const std::string field = fmt::format("routes[{}]", service->routes.routes_size() - 1);
  const std::string prefix = field + ".";
  places.emplace_back(field, node.place());
  // Set first, so that the defaults of a route that forwards are filled in.
  const YamlNode upstreams = ValueOf(node, "upstreams");
  if (upstreams) route.mutable_forward();
  const Found found = reader_->Read(kRoute, node, path, &route, &places, prefix);
  service->route_names.push_back({route.name(), node.place(), path.ToString()});
  if (node.kind() != NodeKind::kMapping) return;
  if (upstreams) {
    ReadUpstreams(upstreams, Path(path, "upstreams"), route.mutable_forward(), &places, prefix);
  }
  if (!found.text("name").empty()) {
    service->route_names.back() = MentionOf(found, path, "name");
    NoteName(service->route_names.back(), "route of this service", seen);
  }
  if (upstreams && !found.value("upgrades")) {
    route.mutable_forward()->add_upgrades("websocket");
  }
  if (upstreams && !ValueOf(found.value("retry"), "on")) {
    for (const char* condition : {"connect_failure", "reset"}) {
      route.mutable_forward()->mutable_retry()->add_on(condition);
    }
  }
  if (service->listener.protocol() == v1::LISTENER_PROTOCOL_TCP) CheckTcpRoute(found, path);
  CheckRoute(found, path, &route);
}

void ServiceReader::CheckTcpService(YamlNode node, const Path& path) {
  for (const auto& [block, key] : kHttpOnly) {
    const YamlNode value = ValueOf(block.empty() ? node : ValueOf(node, block), key);
    if (!value) continue;
    const Path inner(path, block);
    problems_->Error(value.place(), Path(block.empty() ? path : inner, key).ToString(),
                     "has no meaning in a service with protocol: tcp; remove it");
  }
}

void ServiceReader::CheckTcpRoute(const Found& found, const Path& path) {
  const auto refuse = [this](YamlNode node, const Path& at, std::string_view remedy) {
    problems_->Error(node.place(), at.ToString(),
                     fmt::format("has no meaning in a service with protocol: tcp; {}", remedy));
  };
  for (const std::string_view key : kHttpKeys) {
    if (found.has(key)) refuse(found.value(key), Path(path, key), "remove it");
  }
  const Path timeouts(path, "timeouts");
  for (const std::string_view key : {"first_byte", "per_try", "request", "idle"}) {
    const YamlNode node = ValueOf(found.value("timeouts"), key);
    if (node) refuse(node, Path(timeouts, key), "'connect' and 'tunnel' are what counts there");
  }
  const Path upstreams(path, "upstreams");
  size_t index = 0;
  const YamlNode list = found.value("upstreams");
  const bool is_list = list && list.kind() == NodeKind::kList;
  for (YamlNode item = is_list ? list.first() : YamlNode(); item;
       item = item.next_in(list), ++index) {
    CheckTcpUpstream(item, Path(upstreams, index));
  }
  const Path retry(path, "retry");
  for (const std::string_view key :
       {"on", "non_idempotent", "backoff", "backoff_max", "hedge_after"}) {
    const YamlNode node = ValueOf(found.value("retry"), key);
    if (node) refuse(node, Path(retry, key), "other nodes are tried until one is connected to");
  }
}

// Only what is said in the route itself: an upstream defined elsewhere may be others' as well.
void ServiceReader::CheckTcpUpstream(YamlNode node, const Path& path) {
  for (const auto& [block, key, remedy] : kUpstreamHttpOnly) {
    const YamlNode value = ValueOf(block.empty() ? node : ValueOf(node, block), key);
    if (!value) continue;
    const Path inner(path, block);
    problems_->Error(value.place(), Path(block.empty() ? path : inner, key).ToString(),
                     fmt::format("has no meaning in a service with protocol: tcp; {}", remedy));
  }
  const YamlNode hash_on = ValueOf(node, "hash_on");
  if (IsText(hash_on) && hash_on.text() != "client_ip") {
    problems_->Error(hash_on.place(), Path(path, "hash_on").ToString(),
                     fmt::format("{} has no meaning in a service with protocol: tcp; use client_ip",
                                 Quoted(hash_on.text())));
  }
}

void ServiceReader::ReadUpstreams(YamlNode list, const Path& path, v1::Forward* forward,
                                  FieldPlaces* places, const std::string& prefix) {
  if (!reader_->ExpectList(list, path)) return;
  if (!list.first()) {
    problems_->Error(list.place(), path.ToString(), "the route has no upstream; give one at least");
    return;
  }
  NamesSeen seen;
  uint64_t weights = 0;
  bool all_read = true;
  size_t index = 0;
  for (YamlNode item = list.first(); item; item = item.next_in(list), ++index) {
    const Path item_path(path, index);
    std::optional<v1::WeightedCluster> choice = upstreams_->ReadInRoute(item, item_path);
    if (!choice) {
      all_read = false;
      continue;
    }
    const Mention name{choice->cluster(), ValueOf(item, "name").place(),
                       Path(item_path, "name").ToString()};
    if (const auto [first, fresh] = seen.emplace(name.text, name.place); !fresh) {
      problems_->Error(
          name.place, name.path,
          fmt::format("upstream {} is in this route already, at {}; add up the weights",
                      Quoted(name.text), problems_->Format(first->second)));
      continue;
    }
    places->emplace_back(fmt::format("{}forward.clusters[{}]", prefix, forward->clusters_size()),
                         item.place());
    weights += choice->weight();
    *forward->add_clusters() = *std::move(choice);
  }
  if (all_read && weights == 0) {
    problems_->Error(list.place(), path.ToString(),
                     "all weights are 0; give one upstream a weight");
  }
}

void ServiceReader::CheckRoute(const Found& found, const Path& path, v1::Route* route) {
  route->set_host(LowerCase(route->host()));
  for (const std::string_view key : {"respond", "redirect"}) {
    if (!found.valid() || !found.has(key)) continue;
    const std::string problem =
        key == "respond" ? RespondProblem(route->respond()) : RedirectProblem(route->redirect());
    if (problem.empty()) continue;
    problems_->Error(found.value(key).place(), Path(path, key).ToString(), problem);
  }
  if (!found.has("upstreams")) {
    for (const std::string_view key : kForwardKeys) {
      if (!found.has(key) || !(found.has("respond") || found.has("redirect"))) continue;
      problems_->Error(found.value(key).place(), Path(path, key).ToString(),
                       "has no meaning on a route without upstreams; remove it");
    }
    return;
  }
  const std::string_view strip = found.text("strip_prefix");
  const bool prefix_refused = found.has("path_prefix") && found.text("path_prefix").empty();
  if (!strip.empty() && !prefix_refused &&
      route::PrefixEnd(route->path_prefix(), strip) == route::kNoMatch) {
    problems_->Error(found.value("strip_prefix").place(), Path(path, "strip_prefix").ToString(),
                     fmt::format("{} must be path_prefix ({}) or its first segments", Quoted(strip),
                                 Quoted(route->path_prefix())));
  }
}

}  // namespace sluice::yaml
