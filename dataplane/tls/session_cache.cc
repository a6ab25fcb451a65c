#include "dataplane/tls/session_cache.h"

#include <utility>

namespace sluice::tls {

void SessionCache::Put(const std::string& server_name, SessionPtr session) {
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(server_name);
  if (found != sessions_.end()) {
    found->second = std::move(session);
    return;
  }
  if (sessions_.size() >= kNamesMax) sessions_.erase(sessions_.begin());
  sessions_.emplace(server_name, std::move(session));
}

SessionPtr SessionCache::Get(const std::string& server_name) const {
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(server_name);
  if (found == sessions_.end()) return nullptr;
  return SessionPtr(SSL_SESSION_dup(found->second.get()));
}

size_t SessionCache::size() const {
  const std::lock_guard lock(mutex_);
  return sessions_.size();
}

}  // namespace sluice::tls
