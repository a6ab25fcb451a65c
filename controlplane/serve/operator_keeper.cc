#include "controlplane/serve/operator_keeper.h"

#include <chrono>

#include "common/base/clock.h"
#include "common/base/log.h"

namespace sluice::serve {
namespace {

constexpr std::chrono::hours kLookedAt{1};

}  // namespace

OperatorKeeper::OperatorKeeper(const trust::OwnTrust& own)
    : own_(own), thread_([this] { Keeping(); }) {}

OperatorKeeper::~OperatorKeeper() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  thread_.join();
}

void OperatorKeeper::Keeping() {
  std::unique_lock lock(mutex_);
  while (!stopped_.wait_for(lock, kLookedAt, [this] { return stopping_; })) {
    const absl::Status status = own_.KeepOperator(base::UnixMillis() / 1000);
    if (!status.ok()) {
      base::LogError("the operator's credential: {}", std::string(status.message()));
    }
  }
}

}  // namespace sluice::serve
