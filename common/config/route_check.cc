#include <limits>
#include <unordered_map>
#include <unordered_set>

#include "common/config/checks.h"
#include "common/config/words.h"
#include "common/route/match.h"

namespace sluice::config {
namespace {

constexpr uint32_t kAttemptsMax = 100;
constexpr size_t kRespondBytesMax = 64 * 1024;

void CheckClusters(const v1::Forward& forward, const Known& known, const std::string& field,
                   ResourceErrors* errors) {
  if (forward.clusters().empty()) {
    errors->Add(field, "the route has no upstream; give one at least");
    return;
  }
  uint64_t weights = 0;
  std::unordered_set<std::string> seen;
  for (int i = 0; i < forward.clusters_size(); ++i) {
    const v1::WeightedCluster& choice = forward.clusters(i);
    const std::string entry = fmt::format("{}[{}]", field, i);
    if (known.clusters.count(choice.cluster()) == 0) {
      errors->Add(entry + ".cluster",
                  UnknownReference("upstream", choice.cluster(), known.clusters));
    } else if (!seen.insert(choice.cluster()).second) {
      errors->Add(entry + ".cluster",
                  fmt::format("upstream '{}' occurs twice in this route; add up the weights",
                              choice.cluster()));
    }
    if (choice.weight() > kWeightMax) {
      errors->Add(entry + ".weight",
                  fmt::format("{} is too much; give 0 to {}", choice.weight(), kWeightMax));
    }
    weights += choice.weight();
  }
  if (weights == 0) errors->Add(field, "all weights are 0; give one upstream a weight");
  if (weights > std::numeric_limits<uint32_t>::max()) {
    errors->Add(field, "the weights add up to more than 32 bits hold; make them smaller");
  }
}

void CheckForward(const v1::Route& route, const Known& known, const std::string& at,
                  ResourceErrors* errors) {
  const v1::Forward& forward = route.forward();
  const std::string field = at + ".forward";
  CheckClusters(forward, known, field + ".clusters", errors);

  const std::string& strip = forward.strip_prefix();
  if (!strip.empty()) {
    std::string problem = PathPatternProblem(strip, forward.keep_encoded_slashes());
    if (problem.empty() && route::PrefixEnd(route.path_prefix(), strip) == route::kNoMatch) {
      problem = fmt::format("'{}' must be path_prefix ('{}') or its first segments", strip,
                            route.path_prefix());
    }
    AddProblem(field + ".strip_prefix", std::move(problem), errors);
  }
  if (!forward.host_rewrite().empty()) {
    AddProblem(field + ".host_rewrite", AuthorityProblem(forward.host_rewrite()), errors);
  }
  const v1::RouteTimeouts& timeouts = forward.timeouts();
  const auto duration = [&](std::string_view name, uint32_t milliseconds) {
    AddProblem(fmt::format("{}.{}", field, name), DurationProblem(milliseconds), errors);
  };
  duration("timeouts.connect_ms", timeouts.connect_ms());
  duration("timeouts.first_byte_ms", timeouts.first_byte_ms());
  duration("timeouts.per_try_ms", timeouts.per_try_ms());
  duration("timeouts.request_ms", timeouts.request_ms());
  duration("timeouts.idle_ms", timeouts.idle_ms());
  duration("timeouts.tunnel_ms", timeouts.tunnel_ms());
  for (int i = 0; i < forward.upgrades_size(); ++i) {
    AddProblem(fmt::format("{}.upgrades[{}]", field, i), UpgradeProblem(forward.upgrades(i)),
               errors);
  }
  const v1::RetryPolicy& retry = forward.retry();
  if (retry.attempts() > kAttemptsMax) {
    errors->Add(field + ".retry.attempts", fmt::format("{} is too many; give 1 to {}, or 0 for 3",
                                                       retry.attempts(), kAttemptsMax));
  }
  for (int i = 0; i < retry.on_size(); ++i) {
    AddProblem(fmt::format("{}.retry.on[{}]", field, i), RetryConditionProblem(retry.on(i)),
               errors);
  }
  duration("retry.backoff_ms", retry.backoff_ms());
  duration("retry.backoff_max_ms", retry.backoff_max_ms());
  duration("retry.hedge_after_ms", retry.hedge_after_ms());
}

void CheckRespond(const v1::Respond& respond, const std::string& field, ResourceErrors* errors) {
  const uint32_t status = respond.status();
  if (status < 200 || status > 599) {
    errors->Add(field + ".status", fmt::format("{} is no final status; give 200 to 599", status));
  }
  if ((status == 204 || status == 304) && !respond.body().empty()) {
    errors->Add(field + ".body", fmt::format("a response with status {} has no body", status));
  }
  if (respond.body().size() > kRespondBytesMax) {
    errors->Add(field + ".body", fmt::format("{} bytes are too many; give at most {}",
                                             respond.body().size(), kRespondBytesMax));
  }
  AddProblem(field + ".content_type", FieldValueProblem(respond.content_type()), errors);
}

void CheckRedirect(const v1::Redirect& redirect, const std::string& field, ResourceErrors* errors) {
  switch (redirect.status()) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
      break;
    default:
      errors->Add(field + ".status", fmt::format("{} is no redirect; use 301, 302, 303, 307 or 308",
                                                 redirect.status()));
  }
  const std::string& scheme = redirect.scheme();
  if (!scheme.empty() && scheme != "http" && scheme != "https") {
    errors->Add(field + ".scheme", fmt::format("'{}' is not supported; use http or https", scheme));
  }
  if (!redirect.host().empty()) {
    AddProblem(field + ".host", AuthorityProblem(redirect.host()), errors);
  }
  if (!redirect.path().empty()) {
    std::string problem = TargetProblem(redirect.path());
    // "//host" would be read as another server's address.
    if (problem.empty() && redirect.path().find("//") == 0) {
      problem = fmt::format("'{}' must begin with one '/' only", redirect.path());
    }
    AddProblem(field + ".path", std::move(problem), errors);
  }
  if (scheme.empty() && redirect.host().empty() && redirect.path().empty()) {
    errors->Add(field, "the redirect leads to where it came from; give scheme, host or path");
  }
}

void CheckRoute(const v1::Route& route, const Known& known, const std::string& at,
                ResourceErrors* errors) {
  AddProblem(at + ".name", NameProblem(route.name()), errors);
  AddProblem(at + ".host", HostPatternProblem(route.host()), errors);
  if (!route.path_prefix().empty()) {
    AddProblem(at + ".path_prefix",
               PathPatternProblem(route.path_prefix(), route.forward().keep_encoded_slashes()),
               errors);
  }
  switch (route.action_case()) {
    case v1::Route::kForward:
      return CheckForward(route, known, at, errors);
    case v1::Route::kRespond:
      return CheckRespond(route.respond(), at + ".respond", errors);
    case v1::Route::kRedirect:
      return CheckRedirect(route.redirect(), at + ".redirect", errors);
    case v1::Route::ACTION_NOT_SET:
      return errors->Add(at,
                         "the route does nothing that is known here; give it upstreams, a "
                         "response or a redirect");
  }
}

// Bytes of an unknown protocol have no path and cannot be answered.
void CheckTcpRoute(const v1::Route& route, const std::string& at, ResourceErrors* errors) {
  constexpr const char* kProblem = "has no meaning in a service with protocol: tcp; remove it";
  if (!route.path_prefix().empty()) errors->Add(at + ".path_prefix", kProblem);
  if (route.has_respond()) errors->Add(at + ".respond", kProblem);
  if (route.has_redirect()) errors->Add(at + ".redirect", kProblem);
  if (!route.forward().strip_prefix().empty()) errors->Add(at + ".forward.strip_prefix", kProblem);
  if (!route.forward().host_rewrite().empty()) errors->Add(at + ".forward.host_rewrite", kProblem);
}

}  // namespace

void CheckRouteTable(const v1::RouteTable& table, const Known& known, ResourceErrors errors) {
  if (known.listeners.count(table.service()) == 0) {
    errors.Add("service", UnknownReference("service", table.service(), known.listeners));
  }
  if (table.routes_size() > kRoutesMax) {
    errors.Add("routes", fmt::format("{} routes are too many for one service; give at most {}",
                                     table.routes_size(), kRoutesMax));
    return;
  }
  std::unordered_map<std::string_view, int> first_of_name;
  for (int i = 0; i < table.routes_size(); ++i) {
    const std::string at = fmt::format("routes[{}]", i);
    CheckRoute(table.routes(i), known, at, &errors);
    if (known.tcp_listeners.count(table.service()) != 0) {
      CheckTcpRoute(table.routes(i), at, &errors);
    }
    const auto [first, inserted] = first_of_name.emplace(table.routes(i).name(), i);
    if (!inserted && !table.routes(i).name().empty()) {
      errors.Add(at + ".name", fmt::format("routes[{}] is named '{}' too; names must be unique",
                                           first->second, table.routes(i).name()));
    }
  }
}

}  // namespace sluice::config
