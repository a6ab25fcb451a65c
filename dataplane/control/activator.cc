#include "dataplane/control/activator.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/config/validate.h"

namespace sluice::control {
namespace {

// The first, and how many there are.
std::string Describe(const std::vector<v1::ResourceError>& errors) {
  const v1::ResourceError& first = errors.front();
  std::string text =
      fmt::format("{} {}: ", snapshot::KindName(first.resource().kind()), first.resource().name());
  if (!first.field().empty()) text += first.field() + ": ";
  text += first.message();
  if (errors.size() > 1) text += fmt::format(" (and {} more)", errors.size() - 1);
  return text;
}

}  // namespace

Activator::Activator(Dataplane& dataplane, admin::AdminServer* admin, SnapshotCache* cache,
                     ActivatorOptions options)
    : dataplane_(dataplane),
      admin_(admin),
      cache_(cache == nullptr ? nullptr : std::make_unique<CacheWriter>(*cache)),
      options_(options) {}

Activator::~Activator() = default;

std::vector<v1::ResourceError> Activator::Prepare(snapshot::Resources resources,
                                                  const v1::Version& version) {
  Discard();
  const int64_t started = base::MonotonicMicros();
  v1::Settings settings;
  if (options_.crash_guard != nullptr) options_.crash_guard->BeginPrepare(version);
  std::vector<v1::ResourceError> errors = Compile(resources, version, &settings);
  if (options_.crash_guard != nullptr) options_.crash_guard->EndPrepare();
  compile_micros_ = base::MonotonicMicros() - started;
  if (!errors.empty()) {
    NoteError(fmt::format("version {} rejected: {}", version.revision(), Describe(errors)));
    return errors;
  }
  prepared_ = std::move(resources);
  prepared_version_ = version;
  prepared_settings_ = settings;
  return errors;
}

std::vector<v1::ResourceError> Activator::Compile(const snapshot::Resources& resources,
                                                  const v1::Version& version,
                                                  v1::Settings* settings) {
  config::ParsedSnapshot parsed;
  std::vector<v1::ResourceError> errors = config::ParseAndValidate(resources, &parsed);
  *settings = parsed.settings;
  if (errors.empty()) errors = dataplane_.Prepare(std::move(parsed), version);
  if (errors.empty() && admin_ != nullptr) {
    if (auto problem = admin_->Prepare(*settings); problem.has_value()) {
      errors.push_back(*std::move(problem));
      dataplane_.Discard();
    }
  }
  return errors;
}

void Activator::Discard() {
  if (prepared_version_.root().empty()) return;
  prepared_version_.Clear();
  prepared_.clear();
  dataplane_.Discard();
  if (admin_ != nullptr) admin_->Discard();
  if (options_.crash_guard != nullptr) options_.crash_guard->EndPrepare();
}

void Activator::BeginPreflight(uint32_t sample_percent) {
  if (options_.crash_guard != nullptr) options_.crash_guard->BeginPrepare(prepared_version_);
  dataplane_.BeginPreflight(sample_percent);
}

bool Activator::Commit(const v1::Version& version, std::function<void()> on_effective) {
  if (prepared_version_.root().empty() || prepared_version_.root() != version.root()) return false;
  if (options_.crash_guard != nullptr) options_.crash_guard->BeginServing(version);
  active_version_ = version;
  active_ = std::exchange(prepared_, {});
  prepared_version_.Clear();
  if (admin_ != nullptr) {
    if (const absl::Status status = admin_->Commit(); !status.ok()) {
      NoteError("admin: " + std::string(status.message()));
    }
  }
  ApplyLogSettings(prepared_settings_);
  // Whoever waited for the commit before: this one's effect includes that one's.
  when_effective_.push_back(std::move(on_effective));
  const int64_t started = base::MonotonicMicros();
  const uint64_t commit = ++commits_;
  dataplane_.Commit([this, commit, version, started] { OnEffective(commit, version, started); });
  return true;
}

void Activator::OnEffective(uint64_t commit, const v1::Version& version, int64_t started_micros) {
  effective_commit_ = std::max(effective_commit_, commit);
  swap_micros_ = base::MonotonicMicros() - started_micros;
  base::LogInfo("version {} (root {}) is effective, {} us after its commit", version.revision(),
                snapshot::ShortHex(version.root()), swap_micros_);
  if (effective_commit_ < commits_) return;  // A newer one is under way; it answers for this one.
  for (const auto& function : std::exchange(when_effective_, {})) function();
  Store();
}

void Activator::Renumber(const v1::Version& version, std::function<void()> on_effective) {
  active_version_ = version;
  const auto renumber = [this, version, on_effective = std::move(on_effective)] {
    // Not when another one has been committed since.
    if (version.root() == active_version_.root()) dataplane_.Renumber(active_version_);
    on_effective();
  };
  if (effective_commit_ < commits_) {
    when_effective_.push_back(renumber);  // OnEffective stores it.
    return;
  }
  renumber();
  Store();
}

// Only what changed: a level an operator asked for by hand stays until the settings say another.
void Activator::ApplyLogSettings(const v1::Settings& settings) {
  absl::Status status;
  if (!options_.keep_log_level && settings.log_level() != log_level_) {
    log_level_ = settings.log_level();
    status.Update(base::SetLogLevel(log_level_));
  }
  if (!options_.keep_log_format && settings.log_format() != log_format_) {
    log_format_ = settings.log_format();
    status.Update(base::InitLog("sluice-proxy", base::CurrentLogLevel(), log_format_));
  }
  if (!status.ok()) NoteError(std::string(status.message()));
}

void Activator::Store() {
  if (cache_ != nullptr) cache_->Store(active_version_, active_);
}

void Activator::WaitUntilStored() {
  if (cache_ != nullptr) cache_->WaitUntilIdle();
}

const std::deque<std::string>& Activator::last_errors() {
  if (cache_ != nullptr) {
    for (std::string& error : cache_->TakeErrors()) NoteError(std::move(error));
  }
  return last_errors_;
}

void Activator::NoteError(std::string error) {
  base::LogError("{}", error);
  if (error.size() > kErrorBytesMax) {
    // Never in the middle of a character: protobuf refuses a message with half a one.
    size_t end = kErrorBytesMax;
    while (end > 0 && (error[end] & 0xC0) == 0x80) --end;
    error.resize(end);
  }
  last_errors_.push_back(std::move(error));
  if (last_errors_.size() > kErrorsKept) last_errors_.pop_front();
}

}  // namespace sluice::control
