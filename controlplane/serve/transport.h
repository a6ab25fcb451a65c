// How the controller's gRPC port is secured: by its own CA, by an external one, or not at all.
//
// Thread-safe once open.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

#include "absl/status/statusor.h"
#include "common/trust/identity.h"
#include "common/trust/seal.h"
#include "controlplane/serve/options.h"
#include "controlplane/trust/own_trust.h"
#include "controlplane/trust/server_files.h"

namespace sluice::serve {

class Transport {
 public:
  // Whether the controller has a CA of its own, which lies sealed in the data directory.
  static bool HasOwnAuthority(const ControllerOptions& options) {
    return !options.insecure && options.tls_ca.empty();
  }

  // `options` and `sealer` must outlive it; only a CA of its own needs the sealer. It is made where
  // there is none.
  static absl::StatusOr<std::unique_ptr<Transport>> Open(const ControllerOptions& options,
                                                         const trust::Sealer* sealer);

  // For the port; this must outlive the server. Clients without a certificate are let in by TLS and
  // stopped by the guard: a proxy that joins has none yet, and a token may stand for one.
  std::shared_ptr<grpc::ServerCredentials> ForServer() const;
  // For calls that are passed on to another controller, which knows this one by them.
  absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ForRelay() const;

  // Another number when certificates of an external CA have been replaced.
  uint64_t generation() const;

  const trust::OwnTrust* own() const { return own_.get(); }  // Null: there is no CA of its own.
  trust::Authority authority() const;

 private:
  Transport() = default;
  std::unique_ptr<trust::OwnTrust> own_;
  std::unique_ptr<trust::ServerFiles> files_;
};

}  // namespace sluice::serve
