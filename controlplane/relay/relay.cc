#include "controlplane/relay/relay.h"

#include "controlplane/relay/call.h"
#include "controlplane/relay/forwarded.h"

namespace sluice::relay {
namespace {

using Clock = std::chrono::steady_clock;

grpc::Status NobodyLeads() {
  return grpc::Status(
      grpc::StatusCode::UNAVAILABLE,
      "no controller leads, or it cannot be reached: try again in a few seconds; if it stays "
      "so, look whether most etcd members are up");
}

grpc::Status LeadsNoMore() {
  return grpc::Status(grpc::StatusCode::UNAVAILABLE,
                      "this controller does not lead (any more): ask again");
}

}  // namespace

Relay::~Relay() = default;

grpc::ServerGenericBidiReactor* Relay::CreateReactor(grpc::GenericCallbackServerContext* context) {
  const auto call = std::make_shared<Call>(context);
  grpc::ServerGenericBidiReactor* reactor = call->caller();
  if (context->client_metadata().contains(kPeerKey)) {
    // Else two that take each other for the leader would pass it on for ever.
    call->Refuse(LeadsNoMore());
    return reactor;
  }
  std::shared_ptr<grpc::Channel> leader;
  {
    const std::lock_guard lock(mutex_);
    leader = leader_;
    if (leader != nullptr) {
      NoteLocked(call);
    } else if (waiting_.size() < kWaitingMax) {
      waiting_.push_back({call, Clock::now() + kWaitMax});
      return reactor;
    }
  }
  if (leader == nullptr) {
    call->Refuse(NobodyLeads());
  } else {
    call->PassOn(std::move(leader));
  }
  return reactor;
}

void Relay::NoteLocked(const std::shared_ptr<Call>& call) {
  if (calls_.size() > 2 * calls_swept_at_ + 64) {
    std::erase_if(calls_, [](const std::weak_ptr<Call>& one) { return one.expired(); });
    calls_swept_at_ = calls_.size();
  }
  calls_.push_back(call);
}

void Relay::SetLeader(std::shared_ptr<grpc::Channel> channel) {
  std::list<Waiting> waiting;
  std::vector<std::weak_ptr<Call>> before;
  {
    const std::lock_guard lock(mutex_);
    leader_ = channel;
    before.swap(calls_);
    if (leader_ != nullptr) {
      waiting.swap(waiting_);
      for (const Waiting& one : waiting) NoteLocked(one.call);
    }
  }
  for (const std::weak_ptr<Call>& one : before) {
    if (const auto call = one.lock()) call->Abort();
  }
  for (const Waiting& one : waiting) one.call->PassOn(channel);
}

void Relay::Tick() {
  std::list<Waiting> late;
  {
    const std::lock_guard lock(mutex_);
    while (!waiting_.empty() && waiting_.front().until <= Clock::now()) {
      late.splice(late.end(), waiting_, waiting_.begin());
    }
  }
  for (const Waiting& one : late) one.call->Refuse(NobodyLeads());
}

}  // namespace sluice::relay
