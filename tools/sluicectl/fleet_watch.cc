#include "tools/sluicectl/fleet_watch.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <utility>

namespace sluice::sluicectl {
namespace {

constexpr std::chrono::milliseconds kRetry{500};

// Asked again, a credential that is no good would only count as another guess.
bool IsFinal(const absl::Status& ended) {
  return absl::IsPermissionDenied(ended) || absl::IsUnimplemented(ended);
}

// Blocks every signal while it lives; threads that are started meanwhile keep them blocked.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

}  // namespace

absl::StatusOr<std::unique_ptr<FleetWatch>> FleetWatch::Start(
    std::unique_ptr<ControllerClient> client) {
  base::UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) return base::ErrnoStatus(errno, "eventfd");
  return std::unique_ptr<FleetWatch>(new FleetWatch(std::move(client), std::move(wake)));
}

FleetWatch::FleetWatch(std::unique_ptr<ControllerClient> client, base::UniqueFd wake)
    : client_(std::move(client)), wake_(std::move(wake)) {
  const SignalsBlocked blocked;
  thread_ = std::thread([this] { Run(); });
}

FleetWatch::~FleetWatch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_one();
  thread_.join();
}

bool FleetWatch::Wanted() {
  const std::lock_guard lock(mutex_);
  return !stopping_;
}

void FleetWatch::Tell(News news) {
  {
    const std::lock_guard lock(mutex_);
    if (news.status) news_.status = std::move(news.status);
    news_.disconnected = std::move(news.disconnected);  // None: it is over.
    news_.refused = std::move(news.refused);
  }
  const uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);  // Fails only when it is readable already.
}

FleetWatch::News FleetWatch::Take() {
  uint64_t count = 0;
  (void)!::read(wake_.get(), &count, sizeof count);
  const std::lock_guard lock(mutex_);
  return std::exchange(news_, {});
}

void FleetWatch::Run() {
  while (Wanted()) {
    StreamHandler<v1::FleetStatus> handler;
    handler.on_message = [this](const v1::FleetStatus& status) {
      News news;
      news.status = status;
      Tell(std::move(news));
      return Wanted();
    };
    handler.wanted = [this] { return Wanted(); };
    const absl::Status ended = client_->WatchStatus({}, handler);
    if (!Wanted()) return;
    News news;
    if (IsFinal(ended)) {
      news.refused = ended;
      return Tell(std::move(news));
    }
    news.disconnected = ended.ok() ? "it ended the stream" : std::string(ended.message());
    Tell(std::move(news));
    std::unique_lock lock(mutex_);
    stopped_.wait_for(lock, kRetry, [this] { return stopping_; });
  }
}

}  // namespace sluice::sluicectl
