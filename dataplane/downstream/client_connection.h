// What every client connection has, whatever it speaks: the bytes, the peer (the one a PROXY header
// names, if there is one), a place in its listener's list.
//
// On the request path; tools/bench measures it whole. One worker's. Deletes itself when it is over.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "dataplane/downstream/service_binding.h"
#include "dataplane/io/task.h"
#include "dataplane/proxyproto/header_parser.h"
#include "dataplane/tls/client_identity.h"
#include "dataplane/tls/stream.h"

namespace sluice::downstream {

class ClientConnection {
 public:
  // Takes over `fd` and serves it. `binding` must outlive all its connections.
  static void Accept(ServiceBinding& binding, int fd, const sockaddr* peer);

  virtual ~ClientConnection();
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;

  // For the listener: makes an idle connection go soon, a busy one after its exchanges.
  virtual void WindDown() = 0;
  // For the listener, when its service is another: winds down where the client was let in by other
  // certificates than are asked for now, or something else is spoken.
  void OnServiceChanged() {
    if (!admitted() || binding_.service().tcp != (protocol() == "TCP")) WindDown();
  }
  // Ends it now, whatever it does.
  void Kill();

  // For people.
  struct Info {
    std::string peer;
    std::string_view protocol;
    bool idle;
    bool encrypted;
    uint64_t requests;
    int64_t age_micros;
  };
  Info info() const;
  // Whether no request of the client is under way, or has begun.
  virtual bool idle() const = 0;
  int64_t accepted_micros() const { return accepted_micros_; }
  ClientConnection* next() const { return next_; }

 protected:
  // How long an idle connection may still bring a request after its listener began to go: a request
  // already on its way is answered instead of meeting a closed door.
  static constexpr io::Millis kWindDownGrace{1000};

  ClientConnection(ServiceBinding& binding, const sockaddr* peer);
  // Goes on with the bytes of `other`, which has found out what is spoken and now ends.
  explicit ClientConnection(ClientConnection& other);

  virtual std::string_view protocol() const = 0;

  // Before anything else: whether the peer is one whose PROXY header counts, and reading it. False
  // when the connection is over.
  bool MaySendProxyHeader() const;
  io::Task<bool> ReadProxyHeader();
  io::Task<bool> Handshake();
  // Who the client is by its certificate; null: it has none, or was not asked.
  const tls::ClientIdentity* identity() {
    if (identity_ == nullptr && stream_.encrypted()) {
      identity_ = tls::IdentifyClient(stream_.ssl());
    }
    return identity_.get();
  }
  // A client that is still sending would meet a reset, and could lose what was said last, if the
  // socket were closed at once (RFC 9112 section 9.6).
  io::Task<void> Linger();
  // The last thing a connection's coroutine does.
  void DeleteSoon();
  bool winding_down() const { return binding_.winding_down() || !admitted(); }
  std::string_view peer_text() const { return {peer_text_, peer_text_bytes_}; }
  observe::ListenerStats& stats() { return context_.stats.Listener(binding_.service().slot); }
  io::TimerWheel& timers() { return context_.reactor.timers(); }

  runtime::WorkerContext& context_;
  ServiceBinding& binding_;
  tls::Stream stream_;
  io::Timer timer_;
  io::Task<void> task_;  // Serves it. The derived class cancels it, whose members it uses.
  uint64_t requests_ = 0;
  base::IpBytes peer_{};
  uint16_t peer_port_ = 0;
  bool aborted_ = false;  // Must not look complete to the client.

 private:
  void SetPeer(const base::IpBytes& ip, uint16_t port);
  proxyproto::HeaderState TakeProxyHeader();
  bool admitted() const {
    const tls::ServerContext* context = binding_.service().tls.get();
    return context == nullptr || context->MayKeep(stream_.ssl());
  }
  static void Delete(void* connection);
  void Link();

  ClientConnection* previous_ = nullptr;
  ClientConnection* next_ = nullptr;
  std::unique_ptr<const tls::ClientIdentity> identity_;  // Made when it is first wanted.
  int64_t accepted_micros_;
  uint8_t peer_text_bytes_ = 0;
  char peer_text_[46];
};

}  // namespace sluice::downstream
