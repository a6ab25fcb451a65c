// Every call that comes here, passed on to the controller that leads: its messages in both
// directions as they are, metadata, deadline, cancellation and status too.
//
// While nobody leads calls wait, for a moment: another controller takes the lead within seconds.
// Thread-safe.
#pragma once

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

namespace sluice::relay {

class Call;

class Relay final : public grpc::CallbackGenericService {
 public:
  static constexpr std::chrono::seconds kWaitMax{5};
  static constexpr size_t kWaitingMax = 20'000;

  Relay() = default;
  ~Relay() override;  // The server must have ended.

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override;

  // Null: nobody leads. Calls under way with the one before end.
  void SetLeader(std::shared_ptr<grpc::Channel> channel);
  // Ends calls that have waited too long; to be called a few times a second.
  void Tick();

 private:
  void NoteLocked(const std::shared_ptr<Call>& call);

  struct Waiting {
    std::shared_ptr<Call> call;
    std::chrono::steady_clock::time_point until;
  };
  std::mutex mutex_;  // Guards what follows.
  std::shared_ptr<grpc::Channel> leader_;
  std::list<Waiting> waiting_;
  std::vector<std::weak_ptr<Call>> calls_;  // Passed on to leader_; may be over.
  size_t calls_swept_at_ = 0;               // How many were left when those over went last.
};

}  // namespace sluice::relay
