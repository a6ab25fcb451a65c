// Reads services and their routes.
#pragma once

#include <string>
#include <unordered_map>

#include "controlplane/yaml/draft.h"
#include "controlplane/yaml/upstream_reader.h"

namespace sluice::yaml {

// Routes of one service; of all of them together half a million would not fit the nodes of a
// document.
inline constexpr size_t kRoutesMax = 100'000;

class ServiceReader {
 public:
  ServiceReader(BlockReader* reader, UpstreamReader* upstreams, CertificateCollector* certificates,
                Draft* draft, Problems* problems)
      : reader_(reader),
        upstreams_(upstreams),
        certificates_(certificates),
        draft_(draft),
        problems_(problems) {}

  // An entry of `services`.
  void Read(YamlNode node, const Path& path);

 private:
  using NamesSeen = std::unordered_map<std::string, Place>;

  void CheckLimits(YamlNode node, const Path& path, v1::DownstreamLimits* limits);
  void ReadTls(YamlNode node, const Path& path, ServiceDraft* service);
  void ReadCertificates(YamlNode list, const Path& path, v1::Listener* listener);
  void AddCertificate(const Mention& certificate, const Mention& key, std::optional<Mention> ocsp,
                      v1::Listener* listener);
  void ReadRoutes(YamlNode list, const Path& path, ServiceDraft* service);
  void ReadRoute(YamlNode node, const Path& path, ServiceDraft* service, NamesSeen* seen);
  void ReadUpstreams(YamlNode list, const Path& path, v1::Forward* forward, FieldPlaces* places,
                     const std::string& prefix);
  void CheckTcpService(YamlNode node, const Path& path);
  void CheckTcpRoute(const Found& found, const Path& path);
  void CheckTcpUpstream(YamlNode node, const Path& path);
  void CheckRoute(const Found& found, const Path& path, v1::Route* route);
  // False, and an error, when `name` was seen before.
  bool NoteName(const Mention& name, std::string_view what, NamesSeen* seen);

  BlockReader* const reader_;
  UpstreamReader* const upstreams_;
  CertificateCollector* const certificates_;
  Draft* const draft_;
  Problems* const problems_;
  NamesSeen services_seen_;
};

}  // namespace sluice::yaml
