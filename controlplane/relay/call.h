// One call that is passed on: a reactor towards the caller, one towards the leader.
//
// Private to relay.cc. What is asked of either reactor is asked under the lock, since both delete
// themselves: of the caller's until it is finished, of the leader's while it is held. gRPC calls
// neither back from within. Each direction has one message on its way at a time: who reads slowly
// slows the other side down, and nothing piles up here.
#pragma once

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <mutex>
#include <optional>

namespace sluice::relay {

class Call : public std::enable_shared_from_this<Call> {
 public:
  explicit Call(grpc::GenericCallbackServerContext* context) : caller_context_(context) {}

  // gRPC's from now on; lives until the call is done.
  grpc::ServerGenericBidiReactor* caller();
  // Once. Harmless if the caller has gone meanwhile.
  void PassOn(std::shared_ptr<grpc::Channel> leader);
  void Refuse(const grpc::Status& status);
  // The leader it was passed on to leads no more: the caller is told to ask again.
  void Abort();

 private:
  class CallerSide;
  class LeaderSide;

  void CopyMetadata();
  void OnCallerMessage(bool ok);
  void OnCallerTook(bool ok);
  void OnCallerGone();
  void OnLeaderMetadata();
  void OnLeaderMessage(bool ok);
  void OnLeaderTook(bool ok);
  void OnLeaderDone(const grpc::Status& status);
  void LetGoOfLeaderLocked();
  void FinishLocked();

  grpc::GenericCallbackServerContext* const caller_context_;
  grpc::ClientContext leader_context_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<grpc::GenericStub> stub_;
  CallerSide* caller_ = nullptr;
  LeaderSide* leader_ = nullptr;
  grpc::ByteBuffer up_, down_;

  std::mutex mutex_;  // Guards what follows.
  bool caller_gone_ = false;
  bool holding_ = false;  // The leader's side lives, and has not said all yet.
  bool writing_down_ = false;
  bool finished_ = false;
  bool aborted_ = false;
  std::optional<grpc::Status> status_;  // Of the leader, or a refusal.
};

}  // namespace sluice::relay
