#include "controlplane/build/sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "common/snapshot/snapshot.h"

namespace sluice::build {
namespace {

std::string KeyOf(v1::ResourceKind kind, std::string_view name) {
  return fmt::format("{}/{}", snapshot::KindName(kind), name);
}

// Collects first, then sorts once: a map filled out of order costs several times as much.
class Entries {
 public:
  explicit Entries(const yaml::Problems& problems) : problems_(problems) {}

  void Add(std::string key, yaml::Place place) {
    entries_.emplace_back(std::move(key), problems_.Format(place));
  }

  void AddFields(const std::string& resource, const yaml::FieldPlaces& places) {
    for (const auto& [field, place] : places) Add(resource + "#" + field, place);
  }

  SourceMap Sorted() && {
    std::sort(entries_.begin(), entries_.end());
    SourceMap map;
    for (auto& [key, place] : entries_)
      map.emplace_hint(map.end(), std::move(key), std::move(place));
    return map;
  }

 private:
  const yaml::Problems& problems_;
  std::vector<std::pair<std::string, std::string>> entries_;
};

}  // namespace

SourceMap MapSources(const yaml::Draft& draft, const yaml::Problems& problems) {
  Entries entries(problems);
  const std::string settings = KeyOf(v1::RESOURCE_KIND_SETTINGS, "settings");
  entries.Add(settings, {0, 1, 1});
  entries.AddFields(settings, draft.settings_places);
  std::map<std::string_view, yaml::Place> certificates;
  for (const yaml::CertificateFiles& files : draft.certificates) {
    const std::string key = KeyOf(v1::RESOURCE_KIND_CERTIFICATE, files.certificate.text);
    entries.Add(key, files.certificate.place);
    entries.Add(key + "#key_pem", files.key.place);
    if (files.ocsp) entries.Add(key + "#ocsp_der", files.ocsp->place);
    certificates.emplace(files.certificate.text, files.certificate.place);
  }
  for (const yaml::ServiceDraft& service : draft.services) {
    const std::string listener = KeyOf(v1::RESOURCE_KIND_LISTENER, service.name.text);
    entries.Add(listener, service.name.place);
    entries.AddFields(listener, service.listener_places);
    if (service.client_ca) {
      entries.Add(listener + "#tls.client_auth.ca_pem", service.client_ca->place);
    }
    const auto& names = service.listener.tls().certificates();
    for (int i = 0; i < names.size(); ++i) {
      entries.Add(fmt::format("{}#tls.certificates[{}]", listener, i), certificates[names[i]]);
    }
    const std::string table = KeyOf(v1::RESOURCE_KIND_ROUTE_TABLE, service.name.text);
    entries.Add(table, service.name.place);
    entries.AddFields(table, service.route_places);
  }
  for (const yaml::UpstreamDraft& upstream : draft.upstreams) {
    const std::string cluster = KeyOf(v1::RESOURCE_KIND_CLUSTER, upstream.name.text);
    entries.Add(cluster, upstream.name.place);
    entries.AddFields(cluster, upstream.places);
    if (upstream.ca) entries.Add(cluster + "#tls.ca_pem", upstream.ca->place);
  }
  return std::move(entries).Sorted();
}

std::string FindSource(const SourceMap& sources, const v1::ResourceId& resource,
                       std::string_view field) {
  const std::string key = KeyOf(resource.kind(), resource.name());
  // routes[3].forward.clusters[0], then routes[3].forward.clusters, ..., then the resource.
  for (std::string_view rest = field; !rest.empty();) {
    if (const auto found = sources.find(fmt::format("{}#{}", key, rest)); found != sources.end()) {
      return found->second;
    }
    const size_t cut = rest.find_last_of(".[");
    rest = cut == std::string_view::npos ? std::string_view() : rest.substr(0, cut);
  }
  const auto found = sources.find(key);
  return found == sources.end() ? std::string() : found->second;
}

void AttachSources(const SourceMap& sources, std::vector<v1::ResourceError>* errors) {
  for (v1::ResourceError& error : *errors) {
    error.set_source(FindSource(sources, error.resource(), error.field()));
  }
}

}  // namespace sluice::build
