// The running process's side of a hot restart: waits in the state directory for a successor, offers
// what it has, and lets go of it when the successor serves the same. Until then it can always go on
// as if nobody had asked.
//
// Control thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "dataplane/restart/handover.h"
#include "dataplane/restart/handover_channel.h"

namespace sluice::restart {

// What the process does at each step.
class HandoverHost {
 public:
  virtual ~HandoverHost() = default;
  // Holds the configuration still from here on and collects copies of what is handed over. An error
  // (with the remedy) refuses; nothing is held then.
  virtual absl::StatusOr<Handover> BeginHandover() = 0;
  // The successor serves `root`. An error refuses, and AbortHandover follows.
  virtual absl::Status CheckHandover(const std::string& root) = 0;
  // The handover is off: everything goes on as before.
  virtual void AbortHandover() = 0;
  // What Handover::healths would be now; the successor is ready and learns what it has missed.
  virtual std::vector<v1::HandoverHealth> Healths() = 0;
  // The successor accepts: drain, then end. May destroy the predecessor's surroundings, not itself.
  // The successor reads `channel` for as long as this process lives.
  virtual void CompleteHandover(HandoverChannel channel) = 0;
};

class Predecessor {
 public:
  // From the request until the successor is ready. A warm-up, of 5 s at most, is part of that.
  static constexpr std::chrono::seconds kReadyTimeout{30};

  // Puts its socket in the place of any other's. `context` and `host` must outlive it.
  // `ready_timeout`: see kReadyTimeout.
  static absl::StatusOr<std::unique_ptr<Predecessor>> Open(
      boost::asio::io_context& context, const std::string& state_dir, HandoverHost& host,
      std::chrono::milliseconds ready_timeout = kReadyTimeout);
  ~Predecessor();
  Predecessor(const Predecessor&) = delete;
  Predecessor& operator=(const Predecessor&) = delete;

  // Takes no successor any more; one that is under way is told `reason`.
  void Close(const std::string& reason);

 private:
  using Descriptor = boost::asio::posix::stream_descriptor;

  Predecessor(boost::asio::io_context& context, HandoverHost& host, base::UniqueFd listening,
              std::chrono::milliseconds ready_timeout);
  void AwaitSuccessor();
  void OnSuccessor();
  void AwaitMessage();
  void OnMessage();
  // An error ends the handover.
  absl::Status Handle(const ReceivedMessage& received);
  absl::Status SendOffer();
  absl::Status SendSockets(const std::vector<HandedSocket>& sockets);
  absl::Status SendHealths(std::vector<v1::HandoverHealth> healths);
  absl::Status HandOver(const std::string& root);
  // `tell`: the successor is still there to hear it.
  void End(const std::string& reason, bool tell);

  boost::asio::io_context& context_;
  HandoverHost& host_;
  const std::chrono::milliseconds ready_timeout_;
  Descriptor listening_;
  boost::asio::steady_timer deadline_;
  struct Attempt {
    Attempt(boost::asio::io_context& context, base::UniqueFd socket);
    HandoverChannel channel;
    Descriptor readable;  // A copy of the channel's, to wait with.
    bool offered = false;
  };
  std::unique_ptr<Attempt> attempt_;  // At most one at a time.
};

}  // namespace sluice::restart
