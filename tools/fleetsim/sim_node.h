// A simulated proxy: its protocol on a stream of its own, which it opens again when it is lost, as
// the proxy's control client does.
//
// Belongs to one event loop, which must outlive it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "common/base/backoff.h"
#include "common/base/random.h"
#include "tools/fleetsim/protocol.h"
#include "tools/fleetsim/sim_stream.h"

namespace sluice::fleetsim {

class SimNode final : public StreamOwner, public std::enable_shared_from_this<SimNode> {
 public:
  // While more messages wait, reports are left out, as the proxy does.
  static constexpr size_t kQueueBeforeReports = 8;
  // A controller that takes the stream and does not answer Hello for so long is a failure.
  static constexpr std::chrono::milliseconds kWelcomeTimeout{10'000};

  // Opens a channel to an address: one for every stream.
  using MakeChannel = std::function<std::shared_ptr<grpc::Channel>(const std::string& address)>;

  SimNode(boost::asio::io_context& loop, Protocol protocol, const SimOptions& options,
          const MakeChannel& make_channel, uint64_t seed);

  // On its loop, as everything else. Connects after `delay`.
  void Start(std::chrono::milliseconds delay);
  // Ends the stream; no other follows.
  void Stop();
  bool gone() const { return stopped_ && streams_open_ == 0; }
  Protocol& protocol() { return protocol_; }

  void OnBytes(uint64_t stream, grpc::ByteBuffer bytes) override;
  void OnWritten(uint64_t stream) override;
  void OnReadEnd(uint64_t stream) override;
  void OnDone(uint64_t stream, const grpc::Status& status) override;

 private:
  using Milliseconds = std::chrono::milliseconds;

  void Connect();
  void OnWelcomed();
  void GiveUpStream();
  SimStream* LetGo();
  void ReconnectAfter(Milliseconds least);
  void After(boost::asio::steady_timer& timer, Milliseconds delay, void (SimNode::*then)());
  void Say(Utterance said);
  void SendReport();
  void Flap();
  void GiveUpWelcome();
  void Queue(const v1::ProxyMessage& message);
  void WriteNext();
  Milliseconds Jittered(Milliseconds interval);

  boost::asio::io_context& loop_;
  Protocol protocol_;
  const SimOptions& options_;
  const MakeChannel& make_channel_;
  base::Backoff backoff_;
  base::Random random_;
  boost::asio::steady_timer reconnect_timer_, report_timer_, welcome_timer_, flap_timer_;
  size_t next_controller_ = 0;
  uint64_t stream_number_ = 0;
  int streams_open_ = 0;         // That gRPC still knows.
  SimStream* stream_ = nullptr;  // Deletes itself.
  std::deque<std::string> queue_;
  bool writing_ = false;
  bool stopped_ = false;
};

}  // namespace sluice::fleetsim
