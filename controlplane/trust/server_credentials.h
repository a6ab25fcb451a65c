// TLS for gRPC's server whose certificate may change while it runs.
//
// Clients may come with a certificate, which is then verified, or without one: who may do what is
// the guard's to say. For one port. gRPC 1.51 offers reloading in C++ only from files, where the
// key would lie open; its C interface asks a function at every handshake, and this is the C++ side
// of it.
#pragma once

#include <grpc/grpc_security.h>
#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>

#include "controlplane/trust/server_identity.h"

namespace sluice::trust {

// Must outlive the server: it is asked at every handshake, and gRPC holds it only while it builds.
class ReloadingServerCredentials final : public grpc::ServerCredentials {
 public:
  // Called at every handshake, on gRPC's threads.
  using Fetch = std::function<std::shared_ptr<const TlsPair>()>;

  explicit ReloadingServerCredentials(Fetch fetch);
  ~ReloadingServerCredentials() override;

  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override;

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override;
  static grpc_ssl_certificate_config_reload_status Reload(
      void* self, grpc_ssl_server_certificate_config** config);

  const Fetch fetch_;
  uint64_t generation_ = 0;  // Given to gRPC last; it asks under a lock of its own.
  grpc_server_credentials* credentials_ = nullptr;
};

}  // namespace sluice::trust
