// TLS sessions a client may resume, the newest for each server name. OpenSSL does not hand over
// tickets that TLS 1.2 servers renew while resuming: there a full handshake follows when the first
// ticket dies.
//
// Thread-safe; locked once for a new session and once for a new connection, never while bytes flow.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "common/base/free_with.h"

namespace sluice::tls {

using SessionPtr = std::unique_ptr<SSL_SESSION, base::FreeWith<SSL_SESSION_free>>;

class SessionCache {
 public:
  // Names remembered. Past it an arbitrary one is forgotten, which costs it a full handshake.
  static constexpr size_t kNamesMax = 1024;

  void Put(const std::string& server_name, SessionPtr session);
  // A copy of its own, since OpenSSL changes sessions in use; null: none.
  SessionPtr Get(const std::string& server_name) const;
  size_t size() const;

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::string, SessionPtr> sessions_;
};

}  // namespace sluice::tls
