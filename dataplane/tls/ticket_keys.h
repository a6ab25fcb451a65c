// The keys that seal TLS session tickets, shared by all workers and rotated.
//
// New tickets use the newest key; older ones still open. Rotate is called by the control thread.
// Current() is for any thread, once or twice in a handshake: it holds a lock for as long as copying
// a pointer takes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace sluice::tls {

class TicketKeys {
 public:
  // A ticket lives through two rotations.
  static constexpr size_t kKeysMax = 3;

  TicketKeys();  // One random key.
  ~TicketKeys();
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;

  void Rotate();  // Adds a key, forgets the oldest beyond kKeysMax.

  struct Key {
    std::array<uint8_t, 16> name;  // Sent in clear; tells which key opens the ticket.
    std::array<uint8_t, 32> cipher_key;
    std::array<uint8_t, 32> mac_key;
    ~Key();  // Wipes the secrets.
  };
  struct Ring {
    std::vector<Key> keys;  // Newest first; never empty.
  };
  std::shared_ptr<const Ring> Current() const;

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Ring> ring_;
};

}  // namespace sluice::tls
