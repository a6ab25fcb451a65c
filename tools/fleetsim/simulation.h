// The fleet: nodes, the event loops that they run on, what they share.
#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/fleetsim/observer.h"
#include "tools/fleetsim/sim_node.h"

namespace sluice::fleetsim {

class Simulation {
 public:
  // Reads the TLS files, if there are any. `options` must outlive it.
  static absl::StatusOr<std::unique_ptr<Simulation>> Make(const SimOptions& options);
  // Ends every stream and waits for gRPC to let go of them.
  ~Simulation();

  void Start();
  Observer& observer() { return observer_; }

 private:
  struct Loop {
    boost::asio::io_context context{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{
        context.get_executor()};
    std::thread thread;
  };

  Simulation(const SimOptions& options, std::shared_ptr<grpc::ChannelCredentials> credentials);
  void AddNode(int index, Conduct conduct);
  Loop& LoopOf(size_t node) { return *loops_[node % loops_.size()]; }
  void StartNodes(size_t first);
  void AwaitFirst();
  void StartOthersWith(const SnapshotPtr& snapshot, const v1::Version& version);

  const SimOptions& options_;
  const std::vector<Conduct> conduct_;
  SnapshotPool pool_;
  Observer observer_;
  const SimNode::MakeChannel make_channel_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::vector<std::shared_ptr<SimNode>> nodes_;
  // Of the first node's loop: looks whether it has what the others are to start with.
  std::unique_ptr<boost::asio::steady_timer> first_timer_;
};

}  // namespace sluice::fleetsim
