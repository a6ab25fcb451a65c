// A client connection of a TCP service: bytes go to an upstream and back, whatever they say.
//
// One worker's. It stays under the snapshot it began with until it is over.
#pragma once

#include <optional>
#include <string>

#include "dataplane/downstream/client_connection.h"
#include "dataplane/exchange/client_address.h"
#include "dataplane/upstream/cluster.h"

namespace sluice::downstream {

class TcpConnection final : public ClientConnection {
 public:
  // Takes over `fd` and serves it.
  static void Begin(ServiceBinding& binding, int fd, const sockaddr* peer);
  // Only before bytes flow: nobody can tell where the talk of others may be ended.
  void WindDown() override;

 private:
  TcpConnection(ServiceBinding& binding, const sockaddr* peer);
  ~TcpConnection() override;

  std::string_view protocol() const override { return "TCP"; }
  bool idle() const override { return false; }

  io::Task<void> Serve();
  io::Task<http::Failure> Run();
  // What the client names, where a route asks for it: by its handshake with us, or with whomever it
  // talks to.
  io::Task<http::Failure> FindServerName();
  http::Failure PickRoute();
  io::Task<http::Failure> Connect();
  // To the outlier detection: how connecting to the endpoint has ended.
  void NoteConnect(http::Failure failure);
  void Account(http::Failure failure);

  // --- Relaying (tcp_relay.cc).
  // One direction: its bytes, and the timer its coroutine waits with.
  struct Way {
    tls::Stream& from;
    tls::Stream& to;
    http::Failure from_failure, to_failure;  // Where one of them is reset.
    uint64_t& bytes;
    io::Timer timer;
  };
  io::Task<http::Failure> Relay();
  io::Task<void> PumpUp(Way& way);
  io::Task<http::Failure> Pump(Way& way);
  io::Task<http::Failure> Splice(Way& way);
  enum class Next : uint8_t { kRead, kWrite };
  // Until the next one can be done; kTunnelTimeout when nothing has moved either way for too long.
  io::Task<http::Failure> Await(Way& way, Next next);
  http::Failure OnWake(io::Wake wake) const;
  void ArmIdle(io::Timer& timer);
  void Moved(Way& way, size_t bytes);
  static void FirePumped(void* connection);

  std::optional<runtime::RuntimeUse> runtime_;
  const runtime::Service& service_;  // Of runtime_.
  exchange::ClientAddress client_;
  std::string server_name_;
  const runtime::Route* route_ = nullptr;
  observe::Slot slot_ = 0;
  upstream::Cluster* cluster_ = nullptr;
  upstream::Cluster::Load load_;
  std::unique_ptr<upstream::Connection> upstream_;
  int endpoint_ = -1;
  uint32_t attempts_ = 0;
  int64_t started_micros_, connect_micros_ = -1, moved_micros_ = 0;
  uint64_t bytes_up_ = 0, bytes_down_ = 0;
  bool accounted_ = false;
  io::Task<void> up_;
  io::Signal up_over_;
  http::Failure up_failure_ = http::Failure::kNone;
  bool fire_deferred_ = false;
};

}  // namespace sluice::downstream
