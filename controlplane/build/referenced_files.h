// The files a document names: certificates, keys, OCSP responses, authorities. Read once each,
// checked, and told at the line that names them when they are no good.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "controlplane/build/snapshot_builder.h"
#include "controlplane/yaml/draft.h"
#include "sluice/v1/certificate.pb.h"

namespace sluice::build {

class ReferencedFiles {
 public:
  // All must outlive this object.
  ReferencedFiles(const v1::Document& document, const BuildOptions& options,
                  yaml::Problems* problems);

  // The certificates that can be used; the others are errors, expiry is a warning.
  std::vector<v1::Certificate> ReadCertificates(const yaml::Draft& draft);

  // Fills `ca_pem` of the services and upstreams that name authorities.
  void ReadAuthorities(yaml::Draft* draft);

 private:
  // Null, after an error at the mention's place, when it cannot be read.
  const std::string* Read(const yaml::Mention& mention);
  absl::StatusOr<std::string> Load(const std::string& path) const;
  void CheckExpiry(const v1::Certificate& certificate, const yaml::Mention& mention);
  // Fills `ocsp_der`.
  void ReadOcsp(const yaml::Mention& mention, v1::Certificate* certificate);
  // The certificates in a file of authorities; null after an error.
  const std::string* ReadAuthority(const yaml::Mention& mention);

  const v1::Document& document_;
  const BuildOptions& options_;
  yaml::Problems* const problems_;
  std::unordered_map<std::string, const std::string*> sent_along_;
  std::unordered_map<std::string, absl::StatusOr<std::string>> loaded_;
  // Thousands of upstreams may share one bundle. Nothing: it is no good, which was said.
  std::unordered_map<std::string, std::optional<std::string>> authorities_;
  size_t authority_bytes_ = 0;
};

}  // namespace sluice::build
