// What a controller offers while another one leads: the same ports, and behind them the other one.
//
// Main thread.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <memory>

#include "absl/status/statusor.h"
#include "common/web/http_listener.h"
#include "controlplane/relay/relay.h"
#include "controlplane/replica/election.h"
#include "controlplane/serve/admin_port.h"
#include "controlplane/serve/operator_keeper.h"
#include "controlplane/serve/options.h"
#include "controlplane/serve/transport.h"

namespace sluice::serve {

class FollowerPort {
 public:
  // Both must outlive it.
  FollowerPort(const ControllerOptions& options, AdminPort& admin_port)
      : options_(options), admin_port_(admin_port) {}
  ~FollowerPort();

  absl::Status OpenAdmin();

  // Once the certificates that it takes are here.
  absl::Status OpenGrpc(std::unique_ptr<Transport> transport);
  bool is_open() const { return server_ != nullptr; }

  // Where calls go from now on. A default-constructed one: nobody leads.
  void SetLeader(const replica::Leader& leader);
  // A few times a second: ends calls that waited too long, and passes others on once the leader is
  // reached.
  void Tick();
  bool is_connecting() const { return channel_ != nullptr && !was_reached_; }
  // The leader served, was reached, and has gone since: its process may have died.
  bool HasLostLeader() const;

 private:
  web::HttpResponse Answer(const web::HttpRequest& request) const;
  void Connect();

  const ControllerOptions& options_;
  AdminPort& admin_port_;
  std::unique_ptr<Transport> transport_;
  std::shared_ptr<grpc::ServerCredentials> credentials_;  // Longer than the server.
  relay::Relay relay_;
  std::unique_ptr<grpc::Server> server_;
  replica::Leader leader_;
  std::shared_ptr<grpc::Channel> channel_;           // Null: nobody leads, or serves as such yet.
  std::unique_ptr<OperatorKeeper> operator_keeper_;  // Null without a CA of its own.
  std::chrono::steady_clock::time_point connected_at_{};
  uint64_t generation_ = 0;  // Of the certificate that channel_ shows.
  bool was_reached_ = false;
  std::atomic<bool> ready_{false};
};

}  // namespace sluice::serve
