// Hedging: a read that is slow to be answered goes to a second endpoint as well, and the first
// answer counts (J. Dean and L. A. Barroso, "The Tail at Scale", 2013).
#include "dataplane/exchange/exchange.h"

namespace sluice::exchange {

using http::Failure;

bool Exchange::IsHedged() const {
  const http::Method method = request_.head->method;
  return route_->retry.hedge_after.count() != 0 &&
         (method == http::Method::kGet || method == http::Method::kHead) && body_is_whole_ &&
         whole_body_.empty() && !upgrade_ && !grpc_;
}

// While the other one may still do better.
bool Exchange::Wins(const Attempt& attempt) const {
  return attempt.failure == Failure::kNone && attempt.response.status < 500 &&
         !route_->retry.OnStatus(attempt.response.status);
}

io::Task<void> Exchange::RunBeside(Race& race, Attempt& attempt) {
  attempt.failure = co_await Try(attempt);
  race.Tell();
}

io::Task<Failure> Exchange::TryHedged() {
  if (race_ == nullptr) race_ = std::make_unique<Race>(context_.reactor, context_.buffers);
  Race& race = *race_;
  Attempt* hedge = nullptr;  // While it runs.
  bool hedged = false;
  attempt_->contested = true;
  race.leader = RunBeside(race, *attempt_);
  race.leader.Start();
  timers().Arm(race.delay, route_->retry.hedge_after);
  Failure failure = Failure::kNone;
  for (;;) {
    if (race.leader.done()) {
      failure = attempt_->failure;
      if (hedge == nullptr || Wins(*attempt_) || failure == Failure::kClientGone) break;
      NoteOutcome(*attempt_, failure);
      AbortUpstream(*attempt_, failure);
      attempt_ = std::exchange(hedge, nullptr);
      std::swap(race.leader, race.follower);
      continue;
    }
    if (hedge != nullptr && race.follower.done()) {
      if (Wins(*hedge)) {
        race.leader.Cancel();
        NoteOutrun(*attempt_);
        AbortUpstream(*attempt_, Failure::kNone);
        attempt_ = std::exchange(hedge, nullptr);
        cluster_->stats().hedges_won_total.Add();
        break;
      }
      NoteOutcome(*hedge, hedge->failure);
      AbortUpstream(*hedge, hedge->failure);
      hedge = nullptr;
      continue;
    }
    io::Wait wait;
    wait.On(race.news);
    if (!hedged) wait.Until(race.delay);
    if (attempt_->client == nullptr) wait.Hangup(responder_->client());
    const io::Wake wake = co_await wait;
    if (wake == io::Wake::kHangup) {
      race.leader.Cancel();
      failure = Failure::kClientGone;
      break;
    }
    if (wake == io::Wake::kTimeout) {
      hedged = true;
      hedge = BeginHedge(race);
    }
  }
  if (hedge != nullptr) {
    race.follower.Cancel();
    AbortUpstream(*hedge, Failure::kNone);
  }
  attempt_->client = &responder_->client();
  attempt_->contested = false;
  co_return failure;
}

// Null where there is no other endpoint, no room or no budget.
Attempt* Exchange::BeginHedge(Race& race) {
  if (!attempt_->load || PastDeadline()) return nullptr;
  Attempt& hedge = attempt_ == &first_attempt_ ? race.second : first_attempt_;
  tried_.Add(static_cast<uint32_t>(attempt_->endpoint));
  hedge.endpoint = cluster_->Enter(WantedRoom(), false, &hedge.load);
  if (hedge.endpoint < 0) return nullptr;
  if (!cluster_->TakeHedge()) {
    hedge.load = {};
    return nullptr;
  }
  ++hedges_;
  hedge.client = nullptr;
  hedge.contested = true;
  race.follower = RunBeside(race, hedge);
  race.follower.Start();
  return &hedge;
}

}  // namespace sluice::exchange
