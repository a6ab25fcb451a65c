#include "dataplane/preflight/comparison.h"

#include <fmt/format.h>

namespace sluice::preflight {
namespace {

using Change = v1::PreflightChange;

// Calls `visit` with the name of every upstream that a request of the route may take.
template <typename Visit>
void VisitUpstreams(const Treatment& treatment, Visit visit) {
  const runtime::Route& route = *treatment.route;
  uint32_t before = 0;
  for (size_t i = 0; i < route.choices.size(); ++i) {
    const uint32_t sum = route.cumulative_weights.empty() ? 1 : route.cumulative_weights[i];
    if (sum > before) visit(treatment.config->clusters[route.choices[i].cluster]->name);
    before = sum;
  }
}

// Whether whatever `some` may take, `all` may take too.
bool Covers(const Treatment& all, const Treatment& some) {
  bool covers = true;
  VisitUpstreams(some, [&](std::string_view name) {
    bool found = false;
    VisitUpstreams(all, [&](std::string_view other) { found |= other == name; });
    covers &= found;
  });
  return covers;
}

bool SameAnswer(const runtime::LocalAnswer& a, const runtime::LocalAnswer& b) {
  return a.redirect == b.redirect && a.status == b.status && a.body == b.body &&
         a.content_type == b.content_type && a.scheme == b.scheme && a.host == b.host &&
         a.path == b.path;
}

// The protocol that clients of the address speak would be another.
bool SpeaksAnother(const Treatment& now, const Treatment& then) {
  return then.service->tcp || (now.service->tls == nullptr) != (then.service->tls == nullptr);
}

bool RefusesEncodedSlash(const Treatment& treatment, const SampledRequest& request) {
  return request.encoded_slash && !treatment.route->keep_encoded_slashes;
}

Change::Kind KindOf(const runtime::LocalAnswer& answer) {
  if (answer.redirect) return Change::REDIRECTED;
  return answer.status >= 400 ? Change::REFUSED : Change::ANSWERED;
}

Change::Kind CompareForwarding(const Treatment& now, const Treatment& then) {
  if (!Covers(now, then) || !Covers(then, now)) return Change::OTHER_UPSTREAM;
  if (now.route->strip_prefix != then.route->strip_prefix ||
      now.route->host_rewrite != then.route->host_rewrite) {
    return Change::OTHER_REQUEST;
  }
  return now.route->name == then.route->name ? Change::NONE : Change::OTHER_ROUTE;
}

std::string Upstreams(const Treatment& treatment) {
  std::string names;
  VisitUpstreams(treatment, [&names](std::string_view name) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
  });
  return names;
}

std::string Upstream(const Treatment& treatment) {
  return fmt::format("{} by route {}", Upstreams(treatment), treatment.route->name);
}

std::string Answer(const Treatment& treatment) {
  const runtime::LocalAnswer& answer = *treatment.route->answer;
  std::string where;
  if (answer.redirect) {
    where = answer.scheme.empty() ? "" : answer.scheme + ":";
    if (!answer.scheme.empty() || !answer.host.empty()) where += "//";
    where += answer.host + answer.path;
  }
  return fmt::format("{}{}{} by route {}", answer.status, where.empty() ? "" : " ", where,
                     treatment.route->name);
}

std::string Refusal(const Treatment& now, const Treatment& then, const SampledRequest& request) {
  if (then.service == nullptr) return fmt::format("nothing listens on {}", now.service->address);
  if (then.service->tcp) return "the service passes on TCP";
  if (SpeaksAnother(now, then)) {
    return then.service->tls == nullptr ? "the service speaks clear text" : "the service needs TLS";
  }
  if (RefusesEncodedSlash(then, request)) return "400, an encoded slash in the path";
  return fmt::format("{}", then.route->answer->status);
}

}  // namespace

Treatment Treat(const runtime::RuntimeConfig& config, const runtime::Service* service,
                const SampledRequest& request) {
  Treatment treatment{.config = &config, .service = service};
  if (service == nullptr || service->tcp) return treatment;
  const int index = service->routes.Find({.host = request.host, .path = request.path});
  if (index != route::RouteTable::kNone) {
    treatment.route = &service->route_list[static_cast<size_t>(index)];
  }
  return treatment;
}

Change::Kind Compare(const Treatment& now, const Treatment& then, const SampledRequest& request) {
  if (then.service == nullptr || SpeaksAnother(now, then)) return Change::REFUSED;
  if (then.route == nullptr) return now.route == nullptr ? Change::NONE : Change::UNMATCHED;
  const bool refused_now = now.route != nullptr && RefusesEncodedSlash(now, request);
  const bool refused_then = RefusesEncodedSlash(then, request);
  if (refused_then) return refused_now ? Change::NONE : Change::REFUSED;
  if (now.route == nullptr || refused_now) return Change::MATCHED;
  if (then.route->answer != nullptr) {
    if (now.route->answer == nullptr || !SameAnswer(*now.route->answer, *then.route->answer)) {
      return KindOf(*then.route->answer);
    }
    return now.route->name == then.route->name ? Change::NONE : Change::OTHER_ROUTE;
  }
  if (now.route->answer != nullptr) return Change::OTHER_UPSTREAM;
  return CompareForwarding(now, then);
}

std::string DescribeTarget(Change::Kind kind, const Treatment& now, const Treatment& then,
                           const SampledRequest& request) {
  switch (kind) {
    case Change::UNMATCHED:
      return "404";
    case Change::REFUSED:
      return Refusal(now, then, request);
    case Change::REDIRECTED:
    case Change::ANSWERED:
      return Answer(then);
    case Change::MATCHED:
      return then.route->answer != nullptr ? Answer(then) : Upstream(then);
    case Change::OTHER_UPSTREAM:
      return Upstream(then);
    case Change::OTHER_REQUEST:
      return fmt::format(
          "route {}: {}{}", then.route->name,
          then.route->strip_prefix.empty() ? "path as it is"
                                           : "path without " + then.route->strip_prefix,
          then.route->host_rewrite.empty() ? "" : ", host " + then.route->host_rewrite);
    default:
      return fmt::format("route {}", then.route->name);
  }
}

}  // namespace sluice::preflight
