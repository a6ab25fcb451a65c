#include "tools/fleetsim/sim_node.h"

#include <grpcpp/impl/codegen/proto_utils.h>

#include <utility>

#include "common/base/clock.h"
#include "common/base/log.h"

namespace sluice::fleetsim {

SimNode::SimNode(boost::asio::io_context& loop, Protocol protocol, const SimOptions& options,
                 const MakeChannel& make_channel, uint64_t seed)
    : loop_(loop),
      protocol_(std::move(protocol)),
      options_(options),
      make_channel_(make_channel),
      backoff_(options.reconnect_min, options.reconnect_max, seed),
      random_(seed + 1),
      reconnect_timer_(loop),
      report_timer_(loop),
      welcome_timer_(loop),
      flap_timer_(loop) {}

void SimNode::Start(Milliseconds delay) { After(reconnect_timer_, delay, &SimNode::Connect); }

void SimNode::Stop() {
  stopped_ = true;
  reconnect_timer_.cancel();
  GiveUpStream();
}

void SimNode::After(boost::asio::steady_timer& timer, Milliseconds delay, void (SimNode::*then)()) {
  timer.expires_after(delay);
  timer.async_wait([self = shared_from_this(), then](const boost::system::error_code& error) {
    if (!error && !self->stopped_) (self.get()->*then)();
  });
}

void SimNode::Connect() {
  const auto& controllers = options_.controllers;
  const std::string& address = controllers[next_controller_ % controllers.size()];
  ++stream_number_;
  ++streams_open_;
  queue_.clear();
  writing_ = false;
  stream_ = new SimStream(shared_from_this(), stream_number_, make_channel_(address), loop_);
  Queue(protocol_.Hello());
  After(welcome_timer_, kWelcomeTimeout, &SimNode::GiveUpWelcome);
}

void SimNode::GiveUpWelcome() {
  if (stream_ == nullptr || protocol_.welcomed()) return;
  GiveUpStream();
  ++next_controller_;
  ReconnectAfter(Milliseconds(0));
}

void SimNode::OnBytes(uint64_t stream, grpc::ByteBuffer bytes) {
  if (stream != stream_number_ || stream_ == nullptr) return;
  const size_t size = bytes.Length();
  v1::ControllerMessage message;
  if (!grpc::SerializationTraits<v1::ControllerMessage>::Deserialize(&bytes, &message).ok()) {
    base::LogError("a message that cannot be parsed came");
    GiveUpStream();
    ReconnectAfter(Milliseconds(0));
    return;
  }
  const bool was_welcomed = protocol_.welcomed();
  for (Utterance& said : protocol_.OnMessage(message, size, base::UnixMicros())) {
    Say(std::move(said));
  }
  if (!was_welcomed && protocol_.welcomed()) OnWelcomed();
  if (protocol_.retry_after().has_value()) {
    const Milliseconds least = *protocol_.retry_after();
    GiveUpStream();
    ReconnectAfter(least);
    return;
  }
  stream_->ReadNext();
}

void SimNode::OnWelcomed() {
  welcome_timer_.cancel();
  backoff_.Reset();
  SendReport();
  if (protocol_.conduct() == Conduct::kFlapping) {
    After(flap_timer_, Jittered(options_.flap_interval), &SimNode::Flap);
  }
}

void SimNode::Flap() {
  if (stream_ == nullptr) return;
  GiveUpStream();
  ReconnectAfter(Milliseconds(0));
}

void SimNode::SendReport() {
  if (stream_ == nullptr || !protocol_.welcomed()) return;
  std::string report = protocol_.Report();
  if (report.empty()) return;
  if (queue_.size() < kQueueBeforeReports) {
    queue_.push_back(std::move(report));
    WriteNext();
  }
  After(report_timer_, Jittered(protocol_.report_interval()), &SimNode::SendReport);
}

SimNode::Milliseconds SimNode::Jittered(Milliseconds interval) {
  const double factor = 0.8 + 0.4 * random_.Unit();
  return Milliseconds(static_cast<int64_t>(static_cast<double>(interval.count()) * factor));
}

void SimNode::Say(Utterance said) {
  if (said.delay.count() == 0) return Queue(said.message);
  auto timer = std::make_shared<boost::asio::steady_timer>(loop_, said.delay);
  timer->async_wait([self = shared_from_this(), timer, stream = stream_number_,
                     message = std::move(said.message)](const boost::system::error_code& error) {
    if (!error && stream == self->stream_number_) self->Queue(message);
  });
}

void SimNode::Queue(const v1::ProxyMessage& message) {
  if (stream_ == nullptr) return;
  protocol_.OnLeaving(message, base::UnixMicros());
  queue_.push_back(message.SerializeAsString());
  WriteNext();
}

void SimNode::WriteNext() {
  if (writing_ || queue_.empty() || stream_ == nullptr) return;
  writing_ = true;
  const std::string message = std::move(queue_.front());
  queue_.pop_front();
  stream_->Write(message);
}

void SimNode::OnWritten(uint64_t stream) {
  if (stream != stream_number_) return;
  writing_ = false;
  WriteNext();
}

// --- The stream's end.

SimStream* SimNode::LetGo() {
  report_timer_.cancel();
  welcome_timer_.cancel();
  flap_timer_.cancel();
  queue_.clear();
  protocol_.OnLost(base::UnixMicros());
  return std::exchange(stream_, nullptr);
}

void SimNode::GiveUpStream() {
  if (stream_ != nullptr) LetGo()->Cancel();
}

void SimNode::OnReadEnd(uint64_t stream) {
  if (stream != stream_number_ || stream_ == nullptr) return;
  LetGo()->Finish();  // OnDone follows, with the reason.
  ++next_controller_;
  ReconnectAfter(Milliseconds(0));
}

void SimNode::OnDone(uint64_t stream, const grpc::Status& status) {
  --streams_open_;
  base::LogDebug("stream {} ended: {}", stream, status.error_message());
}

void SimNode::ReconnectAfter(Milliseconds least) {
  if (!stopped_) After(reconnect_timer_, least + backoff_.Next(), &SimNode::Connect);
}

}  // namespace sluice::fleetsim
