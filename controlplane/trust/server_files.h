// The controller's certificate of an external CA: files that somebody else replaces.
//
// Thread-safe: handshakes ask for it on gRPC's threads.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"
#include "controlplane/trust/server_identity.h"

namespace sluice::trust {

class ServerFiles {
 public:
  struct Paths {
    std::string certificate, key, ca;  // --tls-cert, --tls-key, --tls-ca
  };

  // Not OK: they cannot be read, or certificate and key do not belong together.
  static absl::StatusOr<std::unique_ptr<ServerFiles>> Open(Paths paths);

  // Reads the files again, at most once a second. While they do not fit together (they may be
  // replaced one after the other) the last good ones count, and the log says why.
  std::shared_ptr<const TlsPair> Current(int64_t now_unix);

 private:
  explicit ServerFiles(Paths paths) : paths_(std::move(paths)) {}
  absl::StatusOr<TlsPair> Read() const;

  const Paths paths_;
  std::mutex mutex_;  // Guards what follows.
  std::shared_ptr<const TlsPair> pair_;
  int64_t read_unix_ = 0;
  std::string problem_;  // Logged once.
};

}  // namespace sluice::trust
