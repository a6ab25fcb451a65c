#include "controlplane/apply/rollout_runner.h"

#include <fmt/format.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"

namespace sluice::apply {
namespace {

using rollout::Waves;

rollout::Now TimeNow() { return {base::MonotonicMillis(), base::UnixMillis()}; }

store::VersionState StateOf(const v1::Rollout& rollout) {
  if (rollout::IsActive(rollout.state())) return store::VersionState::kRolling;
  return rollout.state() == v1::Rollout::COMPLETED ? store::VersionState::kCurrent
                                                   : store::VersionState::kTakenBack;
}

}  // namespace

RolloutRunner::RolloutRunner(store::VersionStore& store, publish::Hub& hub,
                             const notify::Notifier* notifier, OnEnd on_end)
    : store_(store), hub_(hub), notifier_(notifier), on_end_(std::move(on_end)) {
  thread_ = std::thread([this] { Run(); });
}

RolloutRunner::~RolloutRunner() { Stop(); }

void RolloutRunner::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    stopped_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void RolloutRunner::Run() {
  std::unique_lock lock(mutex_);
  while (!stopped_.wait_for(lock, kPace, [this] { return stopping_; })) {
    lock.unlock();
    Look();
    lock.lock();
  }
}

// A change that is being decided may take its place: then the next look is early enough.
void RolloutRunner::Look() {
  const std::unique_lock hold(deciding_, std::try_to_lock);
  if (!hold.owns_lock() || waves_ == nullptr || !hub_.serving()) return;
  // A step that could not be stored was not taken; it is due before anything else.
  const bool owes = owed_.changed || owed_.order != Waves::Order::kNone;
  const Waves::Decision decision = owes ? owed_ : waves_->Look(Nodes(), TimeNow());
  if (const absl::Status status = Carry(decision); !status.ok()) {
    base::LogError("the rollout of version {} cannot be stored: {}",
                   waves_->record().version().revision(), std::string(status.message()));
  }
}

std::vector<publish::NodeView> RolloutRunner::Nodes() const {
  return hub_.View(waves_->record().version().root(), waves_->record().strategy().order_by());
}

publish::Fleet::Audience RolloutRunner::AudienceOf() const {
  const std::vector<std::string> reach = waves_->reach();
  return {reach.begin(), reach.end()};
}

absl::Status RolloutRunner::Store() {
  return store_.SaveRollout(waves_->record(), StateOf(waves_->record()));
}

absl::Status RolloutRunner::Carry(Waves::Decision decision) {
  owed_ = decision;
  if (decision.changed || decision.order != Waves::Order::kNone) {
    RETURN_IF_ERROR(Store());
    const v1::Rollout& record = waves_->record();
    base::LogInfo("rollout of version {}: {}, wave {} of {}{}{}", record.version().revision(),
                  v1::Rollout::State_Name(record.state()), record.wave() + 1, record.waves_size(),
                  record.reason().empty() ? "" : ": ", record.reason());
  }
  owed_ = {};
  switch (decision.order) {
    case Waves::Order::kNone:
      break;
    case Waves::Order::kWiden:
      hub_.Widen(AudienceOf());
      NotifyWave();
      break;
    case Waves::Order::kComplete:
      hub_.PromoteCandidate();
      Finish();
      break;
    case Waves::Order::kTakeBack:
      TakeBack();
      break;
  }
  NotifyPause();
  Publish();
  return absl::OkStatus();
}

void RolloutRunner::TakeBack() {
  hub_.WithdrawCandidate();
  Finish();
}

void RolloutRunner::Finish() {
  const v1::Rollout& record = waves_->record();
  const std::string& root = record.version().root();
  const absl::Status marked = record.state() == v1::Rollout::FAILED
                                  ? store_.MarkBad(root, record.reason())
                              : record.state() == v1::Rollout::COMPLETED ? store_.ClearBad(root)
                                                                         : absl::OkStatus();
  if (!marked.ok()) base::LogError("{}", std::string(marked.message()));
  {
    const std::lock_guard lock(mutex_);
    taken_back_ += record.state() != v1::Rollout::COMPLETED;
  }
  on_end_(record, resources_);
}

void RolloutRunner::NotifyWave() const {
  const v1::Rollout& record = waves_->record();
  Notify("wave", fmt::format("version {} goes out to wave {} of {}: {} nodes more, {} in all",
                             record.version().revision(), record.wave() + 1, record.waves_size(),
                             record.waves(static_cast<int>(record.wave())).node_ids_size(),
                             record.waves(static_cast<int>(record.wave())).size()));
}

// Whatever else changes meanwhile, a pause is told once.
void RolloutRunner::NotifyPause() {
  const v1::Rollout& record = waves_->record();
  if (record.state() == told_) return;
  told_ = record.state();
  if (told_ != v1::Rollout::PAUSED && told_ != v1::Rollout::AWAITING) return;
  Notify("paused", fmt::format("the rollout of version {} waits for an operator: {}",
                               record.version().revision(), record.reason()));
}

void RolloutRunner::Notify(std::string_view action, std::string message) const {
  if (notifier_ == nullptr) return;
  notifier_->Publish({.kind = notify::EventKind::kRollout,
                      .action = std::string(action),
                      .version = waves_->record().version(),
                      .node_id = "",
                      .author = waves_->record().author(),
                      .message = std::move(message)});
}

void RolloutRunner::Publish() {
  {
    const std::lock_guard lock(mutex_);
    view_ = waves_->record();
    for (v1::RolloutWave& wave : *view_.mutable_waves()) wave.clear_baselines();
  }
  hub_.NoteChange();
}

absl::Status RolloutRunner::Begin(v1::Rollout record, publish::SharedResources resources) {
  const std::vector<publish::NodeView> nodes =
      hub_.View(record.version().root(), record.strategy().order_by());
  auto waves = std::make_unique<Waves>(std::move(record), nodes, TimeNow());
  RETURN_IF_ERROR(store_.SaveRollout(waves->record(), store::VersionState::kRolling));
  Supersede(fmt::format("version {} took its place", waves->record().version().revision()),
            /*keep_nodes=*/true);
  waves_ = std::move(waves);
  resources_ = std::move(resources);
  // False only when the controller is ending: the next life goes on from the record.
  hub_.ReleaseTo(AudienceOf());
  told_ = waves_->record().state();
  NotifyWave();
  Publish();
  return absl::OkStatus();
}

void RolloutRunner::Supersede(const std::string& reason, bool keep_nodes) {
  if (waves_ == nullptr || !waves_->active()) return;
  waves_->End(v1::Rollout::SUPERSEDED, reason, TimeNow());
  if (const absl::Status status = Store(); !status.ok()) {
    base::LogError("{}", std::string(status.message()));
  }
  if (!keep_nodes) hub_.WithdrawCandidate();
  Finish();
  Publish();
}

void RolloutRunner::Resume(v1::Rollout record, publish::SharedResources resources) {
  waves_ = std::make_unique<Waves>(std::move(record), TimeNow());
  if (!waves_->active()) return Publish();
  resources_ = std::move(resources);
  told_ = waves_->record().state();
  base::LogInfo("the rollout of version {} goes on at wave {} of {}",
                waves_->record().version().revision(), waves_->record().wave() + 1,
                waves_->record().waves_size());
  hub_.SetCandidate(waves_->record().version(), resources_, AudienceOf());
  Publish();
}

absl::StatusOr<v1::Rollout> RolloutRunner::Act(const v1::RolloutActionRequest& request) {
  {
    const auto hold = Hold();
    if (waves_ == nullptr || !waves_->active()) {
      return absl::FailedPreconditionError("no rollout is under way");
    }
    const std::string why = fmt::format("{}{}{}", request.author(),
                                        request.reason().empty() ? "" : ": ", request.reason());
    Waves::Decision decision{.changed = true};
    switch (request.action()) {
      case v1::RolloutActionRequest::PAUSE:
        RETURN_IF_ERROR(waves_->Pause("by " + why));
        break;
      case v1::RolloutActionRequest::RESUME:
        RETURN_IF_ERROR(waves_->Resume(TimeNow()));
        break;
      case v1::RolloutActionRequest::PROMOTE:
        RETURN_IF_ERROR(waves_->Promote(Nodes(), TimeNow(), &decision));
        break;
      case v1::RolloutActionRequest::ABORT:
        waves_->End(v1::Rollout::ABORTED, "by " + why, TimeNow());
        decision.order = Waves::Order::kTakeBack;
        break;
      default:
        return absl::InvalidArgumentError("unknown action");
    }
    RETURN_IF_ERROR(Carry(decision));
  }
  return view();
}

v1::Rollout RolloutRunner::view() const {
  const std::lock_guard lock(mutex_);
  return view_;
}

bool RolloutRunner::active() const { return rollout::IsActive(view().state()); }

uint64_t RolloutRunner::taken_back_total() const {
  const std::lock_guard lock(mutex_);
  return taken_back_;
}

}  // namespace sluice::apply
