// Versions to put into a store.
#pragma once

#include <fmt/format.h>

#include <string>

#include "controlplane/store/version_store.h"
#include "sluice/v1/certificate.pb.h"
#include "sluice/v1/cluster.pb.h"

namespace sluice::store::testing {

inline std::shared_ptr<const v1::Resource> Cluster(const std::string& name,
                                                   const std::string& content) {
  v1::Cluster cluster;
  cluster.set_name(name);
  cluster.add_endpoints()->set_address(content);
  return snapshot::MakeResource(v1::RESOURCE_KIND_CLUSTER, name, cluster);
}

inline snapshot::Resources Clusters(int count, const std::string& first_content) {
  snapshot::Resources resources;
  for (int i = 0; i < count; ++i) {
    resources.push_back(Cluster(fmt::format("c{:05}", i), i == 0 ? first_content : "same"));
  }
  EXPECT_TRUE(snapshot::SortAndCheck(&resources).ok());
  return resources;
}

inline v1::Document DocumentOf(const std::string& text) {
  v1::Document document;
  v1::SourceFile& file = *document.add_files();
  file.set_path("/etc/a.yaml");
  file.set_content(text);
  v1::SourceFile& other = *document.add_files();
  other.set_path("/etc/b.yaml");
  other.set_content("always the same");
  v1::SourceFile& key = *document.add_referenced();
  key.set_path("/etc/key.pem");
  key.set_content("SECRET");
  return document;
}

inline StoredVersion VersionOf(const snapshot::Resources& resources, const std::string& message) {
  StoredVersion version;
  version.version.set_root(snapshot::RootOf(resources));
  version.created_unix_ms = 1'700'000'000'000;
  version.author = "ann";
  version.message = message;
  version.source = "api";
  version.changes = 3;
  return version;
}

// The revision; fails the test when it cannot be stored.
inline uint64_t AddVersion(VersionStore& store, const std::string& content, int clusters = 3) {
  const snapshot::Resources resources = Clusters(clusters, content);
  StoredVersion version = VersionOf(resources, content);
  const absl::Status status = store.Add(&version, resources, DocumentOf(content));
  EXPECT_TRUE(status.ok()) << status;
  return version.version.revision();
}

// One certificate with this private key.
inline snapshot::Resources WithKey(const std::string& key) {
  v1::Certificate certificate;
  certificate.set_name("site");
  certificate.set_key_pem(key);
  return {snapshot::MakeResource(v1::RESOURCE_KIND_CERTIFICATE, "site", certificate)};
}

inline void AddWithKey(VersionStore& store, const std::string& key) {
  const snapshot::Resources resources = WithKey(key);
  StoredVersion version;
  version.version.set_root(snapshot::RootOf(resources));
  ASSERT_TRUE(store.Add(&version, resources, {}).ok());
}

// Seals with a key of nothing but this byte.
inline VersionStore::LoadSealer KeyOf(char byte) {
  return [byte](bool) -> absl::StatusOr<trust::Sealer> {
    return trust::Sealer(std::string(trust::Sealer::kKeyBytes, byte));
  };
}

}  // namespace sluice::store::testing
