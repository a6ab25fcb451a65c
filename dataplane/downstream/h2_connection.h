// A client connection that speaks HTTP/2 (RFC 9113): each of its streams is an exchange of its own.
//
// On the request path; tools/bench measures it whole. One worker's.
#pragma once

#include <string_view>

#include "dataplane/downstream/client_connection.h"
#include "dataplane/h2/h2_session.h"

namespace sluice::downstream {

class H2Request;

class H2Connection final : public ClientConnection, private h2::SessionOwner {
 public:
  // Goes on with the bytes of `other`, which must end now. `begun`: what it has read already.
  static void TakeOver(ClientConnection& other, std::string_view begun);
  void WindDown() override;

 private:
  friend class H2Request;

  explicit H2Connection(ClientConnection& other);
  ~H2Connection() override;

  std::string_view protocol() const override { return "HTTP/2"; }
  bool idle() const override { return streams_ == nullptr; }

  h2::H2Stream* OnOpen(int32_t id) override;
  void CountReceived(size_t bytes) override { stats().bytes_received.Add(bytes); }
  void CountSent(size_t bytes) override { stats().bytes_sent.Add(bytes); }
  void CountAbuse() override { stats().h2_abuse_total.Add(); }

  io::Task<void> Serve(std::string begun);
  // When its coroutine has ended.
  void DropSoon(H2Request& stream);
  static void Drop(void* stream);

  h2::H2Session session_;
  H2Request* streams_ = nullptr;  // All of them, linked.
};

}  // namespace sluice::downstream
