// The new process's side of a hot restart: asks the running one for what it has, says when it
// serves the same, and is told to begin.
//
// Control thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>

#include "dataplane/restart/handover.h"
#include "dataplane/restart/handover_channel.h"

namespace sluice::restart {

class Successor {
 public:
  // Waits for the offer. kNotFound: no process of `state_dir` is running; other errors name the
  // remedy. `context` must outlive it.
  static absl::StatusOr<std::unique_ptr<Successor>> Ask(boost::asio::io_context& context,
                                                        const std::string& state_dir,
                                                        const std::string& node_id);

  // What was offered; taken apart by the caller.
  Handover& handover() { return handover_; }

  // `word` runs once should the predecessor say something, or vanish, before it is asked: there is
  // no time to lose then, and Ready will tell. Harmless after Ready.
  void OnEarlyWord(std::function<void()> word);
  // The offered version is effective here. `done` runs once: with success when the predecessor lets
  // go (also by ending without a word: then there is nobody else), or with why it keeps everything.
  // Before that, handover().healths is what has been ejected since the offer.
  void Ready(std::function<void(const absl::Status&)> done);
  // Tells the predecessor why it has to go on; best effort.
  void GiveUp(const std::string& reason);
  // After success: the figures of the predecessor's drain come from it.
  HandoverChannel TakeChannel() { return std::move(channel_); }

 private:
  Successor(boost::asio::io_context& context, HandoverChannel channel);
  absl::Status ReceiveOffer(const std::string& node_id);
  absl::Status TakeSockets(ReceivedMessage received, size_t count);
  // Of a message of healths.
  void TakeHealths(ReceivedMessage received);
  void AwaitAnswer();
  void OnAnswer();

  HandoverChannel channel_;
  boost::asio::posix::stream_descriptor readable_;
  Handover handover_;
  std::function<void(const absl::Status&)> done_;
};

}  // namespace sluice::restart
