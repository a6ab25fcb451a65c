// Reads upstreams, wherever they stand, and sees to it that each name means one thing.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>

#include "controlplane/yaml/draft.h"

namespace sluice::yaml {

// Collects certificates named by services and upstreams.
class CertificateCollector {
 public:
  CertificateCollector(Draft* draft, Problems* problems) : draft_(draft), problems_(problems) {}

  // The name of the resource. The same certificate with another key, or another OCSP response, is
  // an error.
  std::string Add(Mention certificate, Mention key, std::optional<Mention> ocsp = std::nullopt);

 private:
  void Compare(const std::string& name, const Mention& known, const Mention& given,
               std::string_view what);

  Draft* const draft_;
  Problems* const problems_;
  std::unordered_map<std::string, size_t> by_path_;
};

class UpstreamReader {
 public:
  UpstreamReader(BlockReader* reader, CertificateCollector* certificates, Draft* draft,
                 Problems* problems)
      : reader_(reader), certificates_(certificates), draft_(draft), problems_(problems) {}

  // An entry of the top-level list.
  void ReadShared(YamlNode node, const Path& path);

  // An entry of a route's list: a definition, or a reference by name. Nothing when it has no usable
  // name.
  std::optional<v1::WeightedCluster> ReadInRoute(YamlNode node, const Path& path);

 private:
  // Reads name and content; a definition is added to the draft.
  std::optional<Mention> ReadEntry(const Block& block, YamlNode node, const Path& path, bool shared,
                                   int64_t* weight);
  void Define(UpstreamDraft upstream, const Found& found);
  void ReadTlsFiles(const Found& upstream, const Path& path, UpstreamDraft* draft);
  void CheckHealthCheck(const Found& upstream, const Path& path, v1::Cluster* cluster);
  void CheckNodes(const Found& upstream, const Path& path, const v1::Cluster& cluster);

  struct Definition {
    std::string content;
    Place place;
    bool valid;
  };

  BlockReader* const reader_;
  CertificateCollector* const certificates_;
  Draft* const draft_;
  Problems* const problems_;
  std::unordered_map<std::string, Definition> definitions_;
};

// A text that is not empty.
bool IsText(YamlNode node);
Mention MentionOf(YamlNode text, const Path& path);
// The value of `key` with its place.
Mention MentionOf(const Found& found, const Path& path, std::string_view key);

}  // namespace sluice::yaml
