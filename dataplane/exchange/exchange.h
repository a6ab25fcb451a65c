// One request's whole life: match, pick, connect or reuse, relay both ways, account.
//
// On the request path (tools/bench measures it whole): no lock, and no heap once the worker is
// warm. Knows neither side's protocol version: the client is a Responder. It sees exactly one
// snapshot from its first byte to its last. Destroying it midway cancels everything it waits for.
#pragma once

#include <optional>
#include <string>

#include "dataplane/exchange/attempt.h"
#include "dataplane/exchange/client_address.h"
#include "dataplane/exchange/grpc_call.h"
#include "dataplane/exchange/incoming_request.h"
#include "dataplane/exchange/kept_body.h"
#include "dataplane/exchange/memory.h"
#include "dataplane/exchange/race.h"
#include "dataplane/exchange/request_id.h"
#include "dataplane/exchange/responder.h"
#include "dataplane/exchange/trace_context.h"
#include "dataplane/exchange/upgrade.h"
#include "dataplane/exchange/upstream_head.h"
#include "dataplane/exchange/web_responder.h"
#include "dataplane/runtime/worker_context.h"

namespace sluice::exchange {

class Exchange {
 public:
  // `request`, `responder` and `memory` must outlive the exchange.
  Exchange(runtime::WorkerContext& context, runtime::WorkerRuntime& runtime,
           const IncomingRequest& request, Responder& responder, Memory& memory);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Everything, the access log line included.
  io::Task<void> Run();
  // For a request whose head could not be read: answers, counts and logs it.
  io::Task<void> Reject(http::Failure failure);

 private:
  // --- Deciding (resolve.cc).
  http::Failure Resolve();
  http::Failure ResolvePath();
  bool IsMisdirected() const;
  void LookAhead(bool encoded_slash);  // For a preflight.
  void IdentifyRequest();

  // --- Answering by ourselves (local_reply.cc).
  io::Task<http::Failure> Respond(const runtime::LocalAnswer& answer);
  io::Task<void> Fail(http::Failure failure);
  io::Task<void> FailGrpc(http::Failure failure);
  io::Task<http::Failure> SendLocal(uint16_t status, std::string_view content_type,
                                    std::string_view body, std::string_view location);

  // --- Sending upstream (exchange.cc, attempt.cc).
  io::Task<http::Failure> Forward();
  http::Failure BeginGrpc();
  // From an endpoint, unless it has one, to the response head.
  io::Task<http::Failure> Try(Attempt& attempt);
  http::Failure PickEndpoint(Attempt& attempt);
  io::Task<http::Failure> AwaitRoom(Attempt& attempt);
  upstream::Cluster::Wanted WantedRoom() const { return {hash_, tried_, !fresh_only_, !upgrade_}; }
  io::Task<http::Failure> SendRequest(Attempt& attempt);
  io::Task<http::Failure> SendByH1(Attempt& attempt);
  io::Task<http::Failure> SendByH2(Attempt& attempt);
  io::Task<http::Failure> ReceiveHead(Attempt& attempt);
  io::Task<http::Failure> AwaitUpstream(Attempt& attempt);
  void ArmForResponse(Attempt& attempt);
  // Until `limit` is over (zero: no limit), or a deadline.
  void ArmUpstream(Attempt& attempt, io::Millis limit) {
    timers().Arm(attempt.timer, Within(attempt, limit));
  }
  void ArmClient() { ArmUpstream(*attempt_, service().timeouts.idle); }
  io::Millis Within(const Attempt& attempt, io::Millis limit) const {
    return io::Within(limit, DeadlineOf(attempt), context_.reactor.now_micros());
  }
  // The nearest of its own and those of the whole; 0: none.
  int64_t DeadlineOf(const Attempt& attempt) const;
  // Of the whole request or call: no try is of use any more. Costs no look at the clock, so it can
  // be asked for each piece of a body.
  bool PastDeadline() const;
  // What the request's body does counts as well, while it is on its way.
  bool PumpMovedWithin(io::Millis limit) const;
  static void AbortUpstream(Attempt& attempt, http::Failure reason);
  UpstreamHead DescribeUpstreamHead();
  // For the body beside what waits for the response, and for what is sent before.
  upstream::SendLimit PumpLimit();
  upstream::SendLimit LimitFor(Attempt& attempt);

  // --- Trying twice at once (hedge.cc).
  // Whether the request is one that may, on a route that wants it.
  bool IsHedged() const;
  io::Task<http::Failure> TryHedged();
  bool Wins(const Attempt& attempt) const;
  Attempt* BeginHedge(Race& race);
  io::Task<void> RunBeside(Race& race, Attempt& attempt);

  // --- Trying again (retry.cc).
  bool MayRetry(http::Failure failure);
  // The same for a response whose head has come.
  bool MayRetryResponse();
  // Whether acting on the request twice does no harm, or is allowed to.
  bool MayRepeat() const;
  bool HasTriesLeft() const;
  bool IsStale(const Attempt& attempt, http::Failure failure) const;
  // False where the policy or the budget does not allow it.
  bool TakeRetry(runtime::RetryCondition condition);
  bool TakeRetry();
  // Whether there is still a node for another try that none of the tries has gone to.
  bool HasNodeLeft() const { return attempts_ < cluster_->spec().endpoints.size(); }
  io::Task<http::Failure> BackOff();

  // --- Judging endpoints (outcome.cc).
  // Once for each try: when it is given up, or its response is whole. kNone: as the response says.
  void NoteOutcome(const Attempt& attempt, http::Failure failure);
  // Another endpoint, asked later, has answered sooner.
  void NoteOutrun(const Attempt& attempt);

  // --- Connections (obtain.cc).
  io::Task<http::Failure> ObtainConnection(Attempt& attempt);
  io::Task<http::Failure> ObtainOwn(Attempt& attempt);
  io::Task<http::Failure> ObtainShared(Attempt& attempt);
  bool TakePooled(Attempt& attempt);
  io::Millis ConnectTimeout(const Attempt& attempt) const;
  upstream::SharedConnection& OpenShared(Attempt& attempt, upstream::Pool& pool);
  // What was taken for a connection, to the one that the attempt goes by.
  static void GiveSlot(Attempt& attempt, upstream::SharedConnection& shared);

  // --- Relaying (body_relay.cc).
  io::Task<void> PumpRequestBody();
  io::Task<http::Failure> SendPiece(std::string_view piece, bool last);
  io::Task<http::Failure> RelayResponse();
  static bool IsEventStream(const http::ResponseHead& head);
  io::Task<http::Failure> RelayBody();
  io::Task<http::Failure> SpliceBody(http::BodyReader& body, io::Socket& client);
  io::Task<http::Failure> AwaitBody();
  void ArmForBody();
  // What came to an end because it took too long: whose fault it is.
  http::Failure LateFailure(bool waited_for_client) const;
  void FilterResponseHead();
  void StopPump();
  void TellPumped();
  static void FirePumped(void* exchange);

  // --- Tunnelling (tunnel.cc).
  io::Task<http::Failure> RelayTunnel();
  io::Task<void> PumpTunnelUp();
  io::Task<http::Failure> RelayTunnelDown();
  io::Task<http::Failure> AwaitTunnelUp();
  io::Millis TunnelRest() const;
  void ArmForTunnel(io::Timer& timer);

  // --- Accounting (account.cc).
  void Account();

  const runtime::Service& service() const { return *runtime_.config().services[request_.service]; }
  io::TimerWheel& timers() { return context_.reactor.timers(); }
  io::Timer& timer() { return attempt_->timer; }

  runtime::WorkerContext& context_;
  const IncomingRequest& request_;
  Responder* responder_;  // The client, or what stands before it.
  Memory& memory_;
  runtime::RuntimeUse runtime_;

  // Set by Resolve.
  std::string_view host_, path_;
  ClientAddress client_;
  const runtime::Route* route_ = nullptr;
  observe::Slot slot_ = 0;
  char request_id_made_[kUuidChars];
  std::string_view request_id_;
  char traceparent_[kTraceparentChars];
  bool trace_continued_ = false;

  // Set while forwarding.
  upstream::Cluster* cluster_ = nullptr;
  upstream::TriedEndpoints tried_;
  Attempt first_attempt_;
  Attempt* attempt_ = &first_attempt_;  // The present one, or what came of the last one.
  std::string_view whole_body_;         // The request's body, if all of it had arrived.
  KeptBody kept_body_;                  // Otherwise, what of it was pumped.
  Upgrade upgrade_;
  GrpcCall grpc_;
  std::optional<WebResponder> web_responder_;
  int64_t moved_micros_ = 0;     // When the tunnel, or the request's body, last moved bytes.
  int64_t deadline_micros_ = 0;  // Of the whole request; 0: none.
  uint64_t hash_ = 0;
  uint32_t attempts_ = 0;
  uint32_t hedges_ = 0;  // Of the attempts.
  bool body_is_whole_ = false;
  bool fresh_only_ = false;  // A pooled connection was stale: no second gamble.
  bool retry_at_once_ = false;

  io::Task<void> pump_;
  http::Failure pump_failure_ = http::Failure::kNone;
  bool pump_deferred_ = false;
  bool pump_told_ = false;

  io::Timer pump_timer_;  // What the request body's pump waits for.

  // For the account.
  uint16_t status_ = 0;
  http::Failure failure_ = http::Failure::kNone;
  uint64_t request_body_bytes_ = 0, response_body_bytes_ = 0;

  std::unique_ptr<Race> race_;  // Of a hedged request.
};

}  // namespace sluice::exchange
