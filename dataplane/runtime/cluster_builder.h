// Compiles clusters, sharing with the previous snapshot those that are the same.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "dataplane/runtime/runtime_builder.h"

namespace sluice::runtime {

class ClusterBuilder {
 public:
  // Both must outlive the builder.
  ClusterBuilder(const BuildContext& context, const config::ParsedSnapshot& parsed);

  // Null when an error was added.
  std::shared_ptr<const upstream::ClusterSpec> Build(const v1::Cluster& cluster,
                                                     std::vector<v1::ResourceError>* errors);

 private:
  const v1::Certificate* FindCertificate(const std::string& name) const;
  static std::shared_ptr<upstream::Admission> AdmissionOf(const v1::Cluster& cluster);
  std::string IdentityOf(const v1::Cluster& cluster) const;
  std::shared_ptr<const tls::ClientContext> BuildTls(const v1::Cluster& cluster,
                                                     std::vector<v1::ResourceError>* errors) const;

  const BuildContext& context_;
  const config::ParsedSnapshot& parsed_;
  std::unordered_map<std::string, std::shared_ptr<const upstream::ClusterSpec>> previous_;
};

}  // namespace sluice::runtime
