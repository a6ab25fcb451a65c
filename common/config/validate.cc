#include "common/config/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/base/address.h"
#include "common/base/nearest.h"
#include "common/config/bound_address.h"
#include "common/config/checks.h"

namespace sluice::config {
namespace {

using snapshot::Resources;

// A body of a kind and the resource it came in.
template <typename Message>
struct Body {
  const v1::Resource* resource;
  Message message;
};

struct Bodies {
  std::vector<Body<v1::Settings>> settings;
  std::vector<Body<v1::Listener>> listeners;
  std::vector<Body<v1::RouteTable>> route_tables;
  std::vector<Body<v1::Cluster>> clusters;
  std::vector<Body<v1::Certificate>> certificates;
};

// What the body itself says its name is. Settings have none.
const std::string& NameIn(const v1::Listener& listener) { return listener.name(); }
const std::string& NameIn(const v1::RouteTable& table) { return table.service(); }
const std::string& NameIn(const v1::Cluster& cluster) { return cluster.name(); }
const std::string& NameIn(const v1::Certificate& certificate) { return certificate.name(); }

template <typename Message>
void ParseBody(const v1::Resource& resource, std::vector<Body<Message>>* bodies,
               std::vector<v1::ResourceError>* errors) {
  Body<Message> body{&resource, {}};
  if (!body.message.ParseFromString(resource.body())) {
    ResourceErrors(resource, errors)
        .Add("",
             fmt::format("the body is not a well-formed {}", snapshot::KindName(resource.kind())));
    return;
  }
  if constexpr (!std::is_same_v<Message, v1::Settings>) {
    if (NameIn(body.message) != resource.name()) {
      ResourceErrors(resource, errors)
          .Add("name", fmt::format("the body is named '{}', the resource '{}'; they must agree",
                                   NameIn(body.message), resource.name()));
    }
  }
  bodies->push_back(std::move(body));
}

Bodies ParseBodies(const Resources& sorted, std::vector<v1::ResourceError>* errors) {
  Bodies bodies;
  for (const auto& resource : sorted) {
    switch (resource->kind()) {
      case v1::RESOURCE_KIND_SETTINGS:
        ParseBody(*resource, &bodies.settings, errors);
        break;
      case v1::RESOURCE_KIND_LISTENER:
        ParseBody(*resource, &bodies.listeners, errors);
        break;
      case v1::RESOURCE_KIND_ROUTE_TABLE:
        ParseBody(*resource, &bodies.route_tables, errors);
        break;
      case v1::RESOURCE_KIND_CLUSTER:
        ParseBody(*resource, &bodies.clusters, errors);
        break;
      case v1::RESOURCE_KIND_CERTIFICATE:
        ParseBody(*resource, &bodies.certificates, errors);
        break;
      default:
        break;  // Of a newer controller.
    }
  }
  return bodies;
}

Resources SortedWithoutDuplicates(const Resources& resources,
                                  std::vector<v1::ResourceError>* errors) {
  Resources sorted = resources;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return snapshot::ComesBefore(*a, *b); });
  const auto repeats = [errors](const auto& a, const auto& b) {
    if (snapshot::ComesBefore(*a, *b)) return false;
    ResourceErrors(*b, errors).Add("", "another resource has the same kind and name; rename one");
    return true;
  };
  sorted.erase(std::unique(sorted.begin(), sorted.end(), repeats), sorted.end());
  return sorted;
}

// A place where the proxy listens, to be compared with the others.
struct Bound {
  BoundAddress bound;
  std::string who;  // For people.
};

// Addresses that are malformed are reported elsewhere.
void CheckCollision(const std::string& address, const std::string& field, const std::string& who,
                    const v1::Listener* listener, ResourceErrors errors, std::vector<Bound>* all) {
  const auto resolved = base::ResolveNumeric(address);
  if (!resolved.ok()) return;
  const BoundAddress bound{*resolved, listener};
  for (const Bound& other : *all) {
    if (!Collide(bound, other.bound)) continue;
    errors.Add(field, fmt::format("{} already has {}; give {} another address or port", other.who,
                                  other.bound.address.ToString(), who));
    return;
  }
  all->push_back({bound, who});
}

void CheckCollisions(const Bodies& bodies, std::vector<v1::ResourceError>* errors) {
  std::vector<Bound> all;
  for (const Body<v1::Settings>& body : bodies.settings) {
    const ResourceErrors to(*body.resource, errors);
    const v1::Settings& settings = body.message;
    if (settings.admin().enabled()) {
      CheckCollision(settings.admin().address(), "admin.address", "the admin API", nullptr, to,
                     &all);
    }
    if (settings.metrics().enabled()) {
      CheckCollision(settings.metrics().address(), "metrics.address", "the metrics endpoint",
                     nullptr, to, &all);
    }
  }
  for (const Body<v1::Listener>& body : bodies.listeners) {
    CheckCollision(body.message.address(), "address",
                   fmt::format("service '{}'", body.message.name()), &body.message,
                   ResourceErrors(*body.resource, errors), &all);
  }
}

template <typename Message>
std::unordered_set<std::string> NamesOf(const std::vector<Body<Message>>& bodies) {
  std::unordered_set<std::string> names;
  for (const Body<Message>& body : bodies) names.insert(body.resource->name());
  return names;
}

void CheckBodies(const Bodies& bodies, std::vector<v1::ResourceError>* errors) {
  Known known{.listeners = NamesOf(bodies.listeners),
              .clusters = NamesOf(bodies.clusters),
              .certificates = NamesOf(bodies.certificates),
              .tcp_listeners = {}};
  for (const auto& [resource, listener] : bodies.listeners) {
    if (listener.protocol() == v1::LISTENER_PROTOCOL_TCP) {
      known.tcp_listeners.insert(resource->name());
    }
  }
  for (size_t i = 0; i < bodies.settings.size(); ++i) {
    ResourceErrors to(*bodies.settings[i].resource, errors);
    if (i > 0) to.Add("", "a snapshot has one settings resource only");
    CheckSettings(bodies.settings[i].message, to);
  }
  for (const auto& [resource, listener] : bodies.listeners) {
    CheckListener(listener, known, {*resource, errors});
  }
  for (const auto& [resource, table] : bodies.route_tables) {
    CheckRouteTable(table, known, {*resource, errors});
  }
  for (const auto& [resource, cluster] : bodies.clusters) {
    CheckCluster(cluster, known, {*resource, errors});
  }
  for (const auto& [resource, certificate] : bodies.certificates) {
    CheckCertificate(certificate, {*resource, errors});
  }
  const std::unordered_set<std::string> tables = NamesOf(bodies.route_tables);
  for (const auto& [resource, listener] : bodies.listeners) {
    if (tables.count(resource->name()) > 0) continue;
    ResourceErrors(*resource, errors)
        .Add("", fmt::format("service '{}' has no route table", resource->name()));
  }
}

template <typename Message>
std::vector<Message> Messages(std::vector<Body<Message>>&& bodies) {
  std::vector<Message> messages;
  messages.reserve(bodies.size());
  for (Body<Message>& body : bodies) messages.push_back(std::move(body.message));
  return messages;
}

}  // namespace

std::string UnknownReference(std::string_view what, const std::string& name,
                             const std::unordered_set<std::string>& known) {
  std::vector<std::string_view> words(known.begin(), known.end());
  std::sort(words.begin(), words.end());  // The same suggestion every time.
  const std::string_view nearest = base::NearestWord(name, words);
  if (nearest.empty()) return fmt::format("{} '{}' does not exist; define it", what, name);
  return fmt::format("{} '{}' does not exist; did you mean '{}'?", what, name, nearest);
}

std::vector<v1::ResourceError> ParseAndValidate(const Resources& resources,
                                                ParsedSnapshot* parsed) {
  std::vector<v1::ResourceError> errors;
  const Resources sorted = SortedWithoutDuplicates(resources, &errors);
  Bodies bodies = ParseBodies(sorted, &errors);
  CheckBodies(bodies, &errors);
  CheckCollisions(bodies, &errors);

  *parsed = {};
  if (!bodies.settings.empty()) parsed->settings = std::move(bodies.settings.front().message);
  if (parsed->settings.log_level().empty()) parsed->settings.set_log_level("info");
  if (parsed->settings.log_format().empty()) parsed->settings.set_log_format("json");
  parsed->listeners = Messages(std::move(bodies.listeners));
  parsed->route_tables = Messages(std::move(bodies.route_tables));
  parsed->clusters = Messages(std::move(bodies.clusters));
  parsed->certificates = Messages(std::move(bodies.certificates));
  return errors;
}

}  // namespace sluice::config
