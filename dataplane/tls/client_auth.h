// Asking clients for certificates (mutual TLS), and what a ticket must not let them skip.
//
// Made on the control thread; its callbacks run in handshakes of any worker.
#pragma once

#include <openssl/ssl.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "dataplane/tls/roots.h"
#include "sluice/v1/listener.pb.h"

namespace sluice::tls {

using SessionIdContext = std::array<uint8_t, 32>;

// What tickets are bound to: the service and whom it trusts. A ticket from before either changed,
// or from where nobody was asked for a certificate, leads to a full handshake. `auth` may be null.
SessionIdContext SessionIdContextOf(std::string_view service, const v1::ClientAuth* auth);

class ClientAuth {
 public:
  static absl::StatusOr<ClientAuth> Make(const v1::ClientAuth& auth);
  // Makes the context ask, and verify what it gets.
  void Apply(SSL_CTX* context) const;

 private:
  struct FreeNames {
    void operator()(STACK_OF(X509_NAME) * names) const;
  };
  using Names = std::unique_ptr<STACK_OF(X509_NAME), FreeNames>;

  StorePtr roots_;
  Names names_;  // Told to clients, who choose by them; null: too many to be told.
  bool required_ = true;
};

}  // namespace sluice::tls
