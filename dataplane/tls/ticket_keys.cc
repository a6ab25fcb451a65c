#include "dataplane/tls/ticket_keys.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace sluice::tls {
namespace {

TicketKeys::Key RandomKey() {
  TicketKeys::Key key;
  SLUICE_CHECK(RAND_bytes(key.name.data(), static_cast<int>(key.name.size())) == 1);
  SLUICE_CHECK(RAND_priv_bytes(key.cipher_key.data(), static_cast<int>(key.cipher_key.size())) ==
               1);
  SLUICE_CHECK(RAND_priv_bytes(key.mac_key.data(), static_cast<int>(key.mac_key.size())) == 1);
  return key;
}

}  // namespace

TicketKeys::Key::~Key() {
  OPENSSL_cleanse(cipher_key.data(), cipher_key.size());
  OPENSSL_cleanse(mac_key.data(), mac_key.size());
}

TicketKeys::TicketKeys() { Rotate(); }

TicketKeys::~TicketKeys() = default;

void TicketKeys::Rotate() {
  auto next = std::make_shared<Ring>();
  next->keys.reserve(kKeysMax);
  next->keys.push_back(RandomKey());
  if (const auto old = Current(); old != nullptr) {
    const size_t kept = std::min(old->keys.size(), kKeysMax - 1);
    next->keys.insert(next->keys.end(), old->keys.begin(),
                      old->keys.begin() + static_cast<ptrdiff_t>(kept));
  }
  const std::lock_guard lock(mutex_);
  ring_ = std::move(next);
}

std::shared_ptr<const TicketKeys::Ring> TicketKeys::Current() const {
  const std::lock_guard lock(mutex_);
  return ring_;
}

}  // namespace sluice::tls
