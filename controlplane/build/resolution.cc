#include "controlplane/build/resolution.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "common/base/address.h"
#include "common/base/nearest.h"
#include "common/base/status_macros.h"
#include "common/route/path.h"

namespace sluice::build {

struct Resolver::Target {
  std::string method;
  std::string authority;         // As the Host header says it.
  std::optional<uint16_t> port;  // The URL's, its scheme's if it names none.
  std::string path;
  std::string query;  // With the "?".
};

namespace {

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

uint16_t PortOf(std::string_view address) {
  const auto split = base::ParseHostPort(address);
  return split.ok() ? split->port : 0;
}

absl::Status BadUrl(std::string_view url, std::string_view why) {
  return absl::InvalidArgumentError(
      fmt::format("'{}': {}; write it like http://www.example.com/path", url, why));
}

}  // namespace

Resolver::Resolver(const std::vector<v1::Listener>& listeners,
                   const std::vector<v1::RouteTable>& route_tables)
    : listeners_(listeners), route_tables_(route_tables) {
  for (const v1::RouteTable& table : route_tables) compiled_.try_emplace(table.service(), table);
}

absl::StatusOr<Resolver::Target> Resolver::Split(const v1::ExplainRequest& request) {
  Target target{.method = request.method().empty() ? "GET" : request.method()};
  std::string_view rest = request.url();
  rest = rest.substr(0, rest.find('#'));
  if (const size_t scheme_end = rest.find("://"); scheme_end != std::string_view::npos) {
    const std::string_view scheme = rest.substr(0, scheme_end);
    const bool https = EqualsIgnoringCase(scheme, "https");
    if (!https && !EqualsIgnoringCase(scheme, "http")) {
      return BadUrl(request.url(), "the scheme is neither http nor https");
    }
    rest.remove_prefix(scheme_end + 3);
    const size_t authority_end = std::min(rest.find_first_of("/?"), rest.size());
    target.authority = rest.substr(0, authority_end);
    rest.remove_prefix(authority_end);
    if (target.authority.empty()) return BadUrl(request.url(), "the host is missing");
    if (target.authority.find('@') != std::string::npos) {
      return BadUrl(request.url(), "names and passwords are not sent");
    }
    target.port = https ? 443 : 80;
    const bool has_port =
        target.authority.find(':', target.authority.find(']') + 1) != std::string::npos;
    if (has_port) {
      const auto split = base::ParseHostPort(target.authority);
      if (!split.ok()) return BadUrl(request.url(), "the port is not a number up to 65535");
      target.port = split->port;
    }
  } else if (!rest.starts_with('/')) {
    return BadUrl(request.url(), "it is not a URL");
  }
  const size_t query = std::min(rest.find('?'), rest.size());
  target.path = rest.substr(0, query);
  target.query = rest.substr(query);
  if (target.path.empty()) target.path = "/";
  for (const std::string& header : request.headers()) {
    const std::string_view line = header;
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
      return absl::InvalidArgumentError(
          fmt::format("header '{}' has no colon; write it like 'Name: value'", header));
    }
    if (EqualsIgnoringCase(Trimmed(line.substr(0, colon)), "host")) {
      target.authority = Trimmed(line.substr(colon + 1));
    }
  }
  return target;
}

const v1::RouteTable* Resolver::TableOf(std::string_view service) const {
  for (const v1::RouteTable& table : route_tables_) {
    if (table.service() == service) return &table;
  }
  return nullptr;
}

absl::StatusOr<const v1::RouteTable*> Resolver::ChooseService(const v1::ExplainRequest& request,
                                                              const Target& target) const {
  std::vector<std::string_view> names;
  for (const v1::Listener& listener : listeners_) names.push_back(listener.name());
  if (!request.service().empty()) {
    if (const v1::RouteTable* table = TableOf(request.service())) return table;
    const std::string_view nearest = base::NearestWord(request.service(), names);
    return absl::InvalidArgumentError(
        nearest.empty() ? fmt::format("no service is named '{}'", request.service())
                        : fmt::format("no service is named '{}'; did you mean '{}'?",
                                      request.service(), nearest));
  }
  std::vector<const v1::RouteTable*> choices;
  for (const v1::Listener& listener : listeners_) {
    if (target.port && PortOf(listener.address()) == *target.port) {
      choices.push_back(TableOf(listener.name()));
    }
  }
  if (choices.empty() && listeners_.size() == 1) choices.push_back(TableOf(listeners_[0].name()));
  if (choices.empty()) {
    // No port to go by: the only service with a route for it.
    for (const v1::RouteTable& table : route_tables_) {
      if (ResolveIn(table, target, false).route != nullptr) choices.push_back(&table);
    }
  }
  if (choices.size() == 1 && choices[0] != nullptr) return choices[0];
  std::string all;
  for (const std::string_view name : names)
    all += fmt::format("{}{}", all.empty() ? "" : ", ", name);
  if (names.empty()) return absl::InvalidArgumentError("there is no service");
  return absl::InvalidArgumentError(
      fmt::format("which service is meant is not clear; name one of {}", all));
}

Resolution Resolver::ResolveIn(const v1::RouteTable& table, const Target& target,
                               bool candidates) const {
  Resolution result{.table = &table};
  result.host_sent = target.authority;
  if (target.method == "CONNECT") {
    result.status = 405;
    result.reason = "CONNECT is not served";
    return result;
  }
  std::string host_scratch;
  std::string path_scratch;
  std::string_view path;
  const route::NormalizedPath normalized = route::NormalizePath(target.path, &path_scratch, &path);
  if (normalized.error != route::PathError::kNone) {
    result.status = 400;
    result.reason = fmt::format("the path is refused: {}", route::Describe(normalized.error));
    return result;
  }
  const route::Request request{.host = route::HostOf(target.authority, &host_scratch),
                               .path = path};
  const route::RouteTable& compiled = compiled_.at(table.service());
  const int found = compiled.Find(request);
  if (candidates) result.candidates = compiled.Explain(request);
  if (found == route::RouteTable::kNone) {
    result.status = 404;
    result.reason = "no route matches";
    return result;
  }
  const v1::Route& route = table.routes(found);
  result.route = &route;
  if (candidates) result.reason = result.candidates.back().reason;
  if (normalized.has_encoded_slash && !route.forward().keep_encoded_slashes()) {
    result.status = 400;
    result.reason = "the path has an encoded slash (%2F), which the route does not keep";
    return result;
  }
  if (route.has_respond()) result.status = route.respond().status();
  if (route.has_redirect()) result.status = route.redirect().status();
  if (!route.has_forward()) return result;
  std::string strip_scratch;
  result.path_sent = route::StripPrefix(path, route.forward().strip_prefix(), &strip_scratch).path;
  result.path_sent += target.query;
  if (!route.forward().host_rewrite().empty()) result.host_sent = route.forward().host_rewrite();
  return result;
}

absl::StatusOr<Resolution> Resolver::Resolve(const v1::ExplainRequest& request,
                                             bool candidates) const {
  ASSIGN_OR_RETURN(const Target target, Split(request));
  ASSIGN_OR_RETURN(const v1::RouteTable* table, ChooseService(request, target));
  return ResolveIn(*table, target, candidates);
}

}  // namespace sluice::build
