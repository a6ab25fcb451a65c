// One try of a request at one endpoint: its connection, and what came of it so far.
//
// On the request path. A part of its exchange, which acts on it (attempt.cc, obtain.cc).
#pragma once

#include <memory>

#include "dataplane/http/message.h"
#include "dataplane/io/buffer.h"
#include "dataplane/io/timer_wheel.h"
#include "dataplane/io/wait.h"
#include "dataplane/upstream/cluster.h"
#include "dataplane/upstream/h1_client.h"
#include "dataplane/upstream/h2_client.h"

namespace sluice::exchange {

struct Attempt {
  // `head`: where the response's head goes. `watched`: nobody waits for an upstream on behalf of a
  // client that has gone; null: somebody else looks after it.
  Attempt(io::BufferPool& buffers, http::ResponseHead& head, io::PeerState* watched)
      : response(head), client(watched), h1(buffers), head_out(buffers) {}

  http::ResponseHead& response;
  io::PeerState* client;
  upstream::Cluster::Load load;  // Its place among what is under way at the endpoint.
  // The upstream side: one of these two.
  upstream::H1Client h1;
  std::unique_ptr<upstream::H2Client> h2;
  upstream::Requester* upstream = nullptr;
  upstream::SharedConnection* shared = nullptr;  // Between obtaining it and sending.
  io::Buffer head_out;                           // Kept until a response begins, for a retry.
  io::Signal wake;  // The request body's pump has ended, or something has come over HTTP/2.
  io::Timer timer;  // What its exchange, or it, waits for.
  int64_t deadline_micros = 0;  // Until the response begins; 0: none.
  int64_t sent_micros = 0, connect_micros = -1, head_micros = -1;
  int endpoint = -1;
  http::Failure failure = http::Failure::kNone;  // Of a contested one that has ended.
  bool reused = false;                           // The connection has served others before.
  bool request_sent = false;                     // The whole request was written upstream.
  bool contested = false;  // Another one may run beside it: nothing it says is passed on yet.
};

}  // namespace sluice::exchange
