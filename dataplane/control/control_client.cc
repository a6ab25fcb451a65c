#include "dataplane/control/control_client.h"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <optional>

#include "common/base/backoff.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "common/base/status_macros.h"
#include "dataplane/control/control_stream.h"

namespace sluice::control {
namespace {

constexpr size_t kPemBytesMax = 1 << 20;

using std::chrono::milliseconds;

absl::StatusOr<std::shared_ptr<::grpc::ChannelCredentials>> MakeCredentials(
    const ControlClientOptions& options) {
  if (options.insecure) return ::grpc::InsecureChannelCredentials();
  ::grpc::SslCredentialsOptions tls;
  ASSIGN_OR_RETURN(tls.pem_root_certs, base::ReadFile(options.tls_ca, kPemBytesMax));
  ASSIGN_OR_RETURN(tls.pem_cert_chain, base::ReadFile(options.tls_cert, kPemBytesMax));
  if (options.tls_key == options.tls_cert) {
    // Read once: it may be replaced at any moment.
    tls.pem_private_key = tls.pem_cert_chain;
  } else {
    ASSIGN_OR_RETURN(tls.pem_private_key, base::ReadFile(options.tls_key, kPemBytesMax));
  }
  return ::grpc::SslCredentials(tls);
}

absl::StatusOr<std::shared_ptr<::grpc::Channel>> MakeChannel(const ControlClientOptions& options,
                                                             const std::string& address) {
  ASSIGN_OR_RETURN(const auto credentials, MakeCredentials(options));
  ::grpc::ChannelArguments arguments;
  const int keepalive_ms = static_cast<int>(options.keepalive.count());
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, keepalive_ms);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, keepalive_ms);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // A connection of its own each time: our back-off decides when, not gRPC's.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // An http_proxy of the environment is not meant for this.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return ::grpc::CreateCustomChannel(address, credentials, arguments);
}

}  // namespace

// `stream_` and `session_` live and go together. A stream that the controller ended is finished,
// and OnDone tells why; one that we end is given up: what still comes from it has an older
// generation and is ignored.
class ControlClient::Impl : public std::enable_shared_from_this<ControlClient::Impl> {
 public:
  Impl(boost::asio::io_context& context, ControlClientOptions options, const NodeIdentity& identity,
       Activator& activator, Dataplane& dataplane, CommandHandler on_command)
      : context_(context),
        options_(std::move(options)),
        identity_(identity),
        activator_(activator),
        dataplane_(dataplane),
        on_command_(std::move(on_command)),
        backoff_(options_.reconnect_min, options_.reconnect_max, base::RandomSeed()),
        random_(base::RandomSeed()),
        reconnect_timer_(context),
        report_timer_(context),
        welcome_timer_(context) {}

  void Connect() {
    if (stopped_ || yielded_ || stream_ != nullptr || options_.controllers.empty()) return;
    live_->FreeFinished();
    address_ = options_.controllers[next_controller_ % options_.controllers.size()];
    auto channel = MakeChannel(options_, address_);
    if (!channel.ok()) {
      Lost(std::string(channel.status().message()));
      return;
    }
    ++generation_;
    queue_.clear();
    queued_bytes_ = 0;
    writing_ = false;
    session_ = std::make_unique<Session>(identity_, activator_, dataplane_, on_command_,
                                         [this](v1::ProxyMessage m) { Send(std::move(m)); });
    stream_ = new ControlStream(*std::move(channel), MakeEvents(generation_), live_);
    session_->Start();
    AwaitWelcome();
  }

  void Stop() {
    stopped_ = true;
    reconnect_timer_.cancel();
    GiveUpStream();
  }

  void SetPaused(bool paused) {
    paused_ = paused;
    if (paused || !held_.has_value()) return;
    const v1::ControllerMessage message = *std::exchange(held_, std::nullopt);
    OnMessage(message);
  }

  void YieldToSuccessor() {
    yielded_ = true;
    reconnect_timer_.cancel();
  }

  void WaitForStreams() { live_->WaitForNone(); }

  // Before Welcome nothing is lost: the first report says all.
  void NotifyHealthChange(const v1::EndpointHealth& health) {
    if (connected()) session_->SendHealthChange(health);
  }

  bool connected() const { return session_ != nullptr && session_->welcomed(); }
  const std::string& address() const { return address_; }

 private:
  // Bound to the control thread and to this stream; harmless when either is gone.
  template <typename Function>
  auto OnControlThread(uint64_t generation, Function function) {
    return [&context = context_, weak = weak_from_this(), generation, function](auto... arguments) {
      boost::asio::post(context, [weak, generation, function, ... held = std::move(arguments)] {
        const auto self = weak.lock();
        if (self != nullptr && generation == self->generation_) (self.get()->*function)(held...);
      });
    };
  }

  StreamEvents MakeEvents(uint64_t generation) {
    return {.on_message = OnControlThread(generation, &Impl::OnMessage),
            .on_read_end = OnControlThread(generation, &Impl::OnReadEnd),
            .on_written = OnControlThread(generation, &Impl::OnWritten),
            .on_done = OnControlThread(generation, &Impl::OnDone)};
  }

  void Send(v1::ProxyMessage message) {
    if (stream_ == nullptr || overflowed_) return;
    if (message.has_report() && queue_.size() >= kQueueBeforeReports) return;
    const size_t bytes = message.ByteSizeLong();
    if (queue_.size() >= kQueueMax || queued_bytes_ + bytes > kQueueBytesMax) {
      // Not here: the session that is sending must not end under its own feet.
      overflowed_ = true;
      boost::asio::post(context_, [weak = weak_from_this(), generation = generation_] {
        const auto self = weak.lock();
        if (self == nullptr || generation != self->generation_) return;
        self->GiveUpStream();
        self->Lost("it does not read what is sent to it");
      });
      return;
    }
    queued_bytes_ += bytes;
    queue_.push_back(std::move(message));
    WriteNext();
  }

  void WriteNext() {
    if (writing_ || queue_.empty() || stream_ == nullptr) return;
    writing_ = true;
    v1::ProxyMessage message = std::move(queue_.front());
    queue_.pop_front();
    queued_bytes_ -= message.ByteSizeLong();
    stream_->Write(std::move(message));
  }

  void OnWritten() {
    writing_ = false;
    WriteNext();
  }

  void OnMessage(const v1::ControllerMessage& message) {
    if (session_ == nullptr) return;
    if (paused_) {
      held_ = message;
      return;
    }
    const bool was_welcomed = session_->welcomed();
    session_->OnMessage(message);
    if (!was_welcomed && session_->welcomed()) {
      if (IsOfThePast()) {
        GiveUpStream();
        Lost("it does not lead any more, another controller does");
        return;
      }
      OnWelcomed();
    }
    if (session_->retry_after_ms().has_value()) {
      const milliseconds delay(*session_->retry_after_ms());
      base::LogInfo("controller {} asks to come back in {} ms", address_, delay.count());
      GiveUpStream();
      ScheduleReconnect(delay);
      return;
    }
    stream_->ReadNext();
  }

  // Terms of another log say nothing about this one's.
  bool IsOfThePast() {
    if (session_->term() == 0) return false;
    if (session_->term_log() == term_log_ && session_->term() < term_) return true;
    term_ = session_->term();
    term_log_ = session_->term_log();
    return false;
  }

  void OnWelcomed() {
    base::LogInfo("connected to controller {}", address_);
    welcome_timer_.cancel();
    backoff_.Reset();
    failures_ = 0;
    lost_logged_ = false;
    session_->SendReport();
    ScheduleReport();
  }

  void OnReadEnd() {
    if (stream_ == nullptr) return;
    LetGo()->Finish();  // OnDone follows, with the reason.
  }

  void OnDone(const ::grpc::Status& status) {
    const bool refused = status.error_code() == ::grpc::StatusCode::PERMISSION_DENIED ||
                         status.error_code() == ::grpc::StatusCode::UNAUTHENTICATED;
    if (refused && options_.on_refused && !stopped_ && !yielded_) options_.on_refused();
    Lost(status.ok() ? "it ended the stream" : status.error_message());
  }

  // The stream is nobody's business any more: what it still says is ignored.
  void GiveUpStream() {
    if (stream_ != nullptr) LetGo()->Cancel();
    ++generation_;
  }

  ControlStream* LetGo() {
    report_timer_.cancel();
    welcome_timer_.cancel();
    session_.reset();
    held_.reset();
    queue_.clear();
    queued_bytes_ = 0;
    overflowed_ = false;
    return std::exchange(stream_, nullptr);
  }

  void Lost(const std::string& reason) {
    if (stopped_ || yielded_) return;
    // Once per outage: the count of attempts is no news.
    if (!lost_logged_) {
      base::LogWarn("controller {}: {}; serving goes on, trying again", address_, reason);
    } else {
      base::LogDebug("controller {}: {}", address_, reason);
    }
    lost_logged_ = true;
    ++next_controller_;
    ScheduleReconnect(milliseconds(0));
  }

  static constexpr size_t kQuickRounds = 2;

  void ScheduleReconnect(milliseconds least) {
    if (stopped_ || yielded_) return;
    milliseconds delay = backoff_.Next();
    // One of the others is likely there. The first who is asked may not know yet that it is to take
    // over, so that each is asked twice before the delays grow.
    if (++failures_ < kQuickRounds * options_.controllers.size() &&
        options_.controllers.size() > 1) {
      delay /= 4;
      backoff_.Reset();
    }
    reconnect_timer_.expires_after(least + delay);
    reconnect_timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      if (error) return;
      if (const auto self = weak.lock()) self->Connect();
    });
  }

  void AwaitWelcome() {
    welcome_timer_.expires_after(options_.welcome_timeout);
    welcome_timer_.async_wait([weak = weak_from_this(),
                               generation = generation_](const boost::system::error_code& error) {
      const auto self = weak.lock();
      if (error || self == nullptr || generation != self->generation_) return;
      if (self->stream_ == nullptr || self->connected()) return;
      self->GiveUpStream();
      self->Lost("it does not answer");
    });
  }

  void ScheduleReport() {
    // Jitter keeps a thousand proxies from reporting in step.
    const double interval_ms = session_->report_interval_ms() * (0.8 + 0.4 * random_.Unit());
    report_timer_.expires_after(milliseconds(static_cast<int64_t>(interval_ms)));
    report_timer_.async_wait([weak = weak_from_this(),
                              generation = generation_](const boost::system::error_code& error) {
      const auto self = weak.lock();
      if (error || self == nullptr || generation != self->generation_) return;
      if (!self->connected()) return;
      self->session_->SendReport();
      self->ScheduleReport();
    });
  }

  boost::asio::io_context& context_;
  const ControlClientOptions options_;
  const NodeIdentity& identity_;
  Activator& activator_;
  Dataplane& dataplane_;
  const CommandHandler on_command_;
  base::Backoff backoff_;
  base::Random random_;
  boost::asio::steady_timer reconnect_timer_;
  boost::asio::steady_timer report_timer_;
  boost::asio::steady_timer welcome_timer_;
  const std::shared_ptr<LiveStreams> live_ = std::make_shared<LiveStreams>();
  std::string address_;
  size_t next_controller_ = 0;
  size_t failures_ = 0;   // Since Welcome.
  uint64_t term_ = 0;     // The greatest that a controller of this log had.
  std::string term_log_;  // The log of the last one that had any.
  uint64_t generation_ = 0;
  ControlStream* stream_ = nullptr;  // Deletes itself.
  std::unique_ptr<Session> session_;
  std::deque<v1::ProxyMessage> queue_;
  size_t queued_bytes_ = 0;
  bool writing_ = false;
  bool overflowed_ = false;
  bool stopped_ = false;
  bool yielded_ = false;
  bool paused_ = false;
  std::optional<v1::ControllerMessage> held_;  // Came while paused_.
  bool lost_logged_ = false;
};

ControlClient::ControlClient(boost::asio::io_context& context, ControlClientOptions options,
                             const NodeIdentity& identity, Activator& activator,
                             Dataplane& dataplane, CommandHandler on_command)
    : impl_(std::make_shared<Impl>(context, std::move(options), identity, activator, dataplane,
                                   std::move(on_command))) {}

ControlClient::~ControlClient() {
  impl_->Stop();
  impl_->WaitForStreams();
}

void ControlClient::Start() { impl_->Connect(); }
void ControlClient::Stop() { impl_->Stop(); }
void ControlClient::SetPaused(bool paused) { impl_->SetPaused(paused); }
void ControlClient::YieldToSuccessor() { impl_->YieldToSuccessor(); }
void ControlClient::NotifyHealthChange(const v1::EndpointHealth& health) {
  impl_->NotifyHealthChange(health);
}
bool ControlClient::connected() const { return impl_->connected(); }
const std::string& ControlClient::address() const { return impl_->address(); }

}  // namespace sluice::control
