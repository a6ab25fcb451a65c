#include "dataplane/observe/access_log.h"

#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "dataplane/observe/log_file.h"
#include "dataplane/observe/log_line.h"
#include "dataplane/observe/log_ring.h"
#include "dataplane/observe/metrics.h"

namespace sluice::observe {
namespace {

// The thread looks at the rings this often while lines come, and less often when none do; a ring
// half full wakes it at once.
constexpr int kBusyPauseMs = 50;
constexpr int kIdlePauseMs = 200;

constexpr std::chrono::minutes kComplaintInterval{1};

// Changes of file the thread has not come to yet. Past it the oldest is skipped: its lines go to
// the next.
constexpr size_t kFilesPendingMax = 16;

}  // namespace

struct AccessLog::Writer::Ring {
  explicit Ring(int wake_descriptor) : wake(wake_descriptor) {}
  ~Ring() { delete next_plan.load(); }

  void TakePlan() { plan.reset(next_plan.exchange(nullptr, std::memory_order_acq_rel)); }
  void Wake() {
    if (woken.exchange(true, std::memory_order_relaxed)) return;
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(wake, &one, sizeof(one));
  }

  // The worker's.
  LogRing lines;
  std::unique_ptr<const LogPlan> plan;  // Null: nothing is to be written.
  TimeText time;
  const int wake;
  Counter dropped;

  // Between the threads. Whoever takes a plan out owns it, so none is freed while in use.
  std::atomic<const LogPlan*> next_plan{nullptr};
  std::atomic<bool> woken{false};
};

struct AccessLog::State {
  State() : wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { SLUICE_CHECK(wake >= 0); }
  ~State() { close(wake); }

  // Mutex held.
  void ChangeFile(std::shared_ptr<LogFile> to);

  void Run();
  void Pass();
  void Drain();
  void Complain(const LogFile::Result& result);
  void WakeUp();

  const int wake;
  std::vector<std::unique_ptr<Writer, void (*)(Writer*)>> writers;  // Constant after construction.
  std::atomic<uint64_t> lost{0};  // Dropped by the thread: not writable, or no file.

  std::mutex mutex;
  std::condition_variable flushed;
  std::shared_ptr<LogFile> newest_file;                // As configured; null: nothing is written.
  std::deque<std::shared_ptr<LogFile>> files_pending;  // What the thread will change to, in turn.
  uint64_t flushes_wanted = 0;
  uint64_t flushes_done = 0;
  bool stopping = false;

  // The thread's.
  std::shared_ptr<LogFile> file;
  bool wrote = false;  // In the last pass.
  uint64_t lost_since_complaint = 0;
  std::chrono::steady_clock::time_point last_complaint{};
  std::thread thread;
};

AccessLog::Writer::Writer(State& log) : ring_(std::make_unique<Ring>(log.wake)) {}

AccessLog::Writer::~Writer() = default;

void AccessLog::Writer::Append(const AccessRecord& record) {
  Ring& ring = *ring_;
  if (!enabled()) return;
  if (ring.next_plan.load(std::memory_order_relaxed) != nullptr) [[unlikely]]
    ring.TakePlan();
  if (ring.plan == nullptr) return;
  char* const begin = ring.lines.Begin(LogLineBytesMax(record));
  if (begin == nullptr) [[unlikely]] {
    ring.dropped.Add();
    ring.Wake();
    return;
  }
  char* const end = WriteLogLine(*ring.plan, record, ring.time, begin);
  ring.lines.Publish(static_cast<size_t>(end - begin));
  if (ring.lines.HalfFull()) [[unlikely]]
    ring.Wake();
}

AccessLog::AccessLog(int workers) : state_(std::make_unique<State>()) {
  for (int i = 0; i < workers; ++i) {
    state_->writers.emplace_back(new Writer(*state_), [](Writer* writer) { delete writer; });
  }
  // Signals are for the main thread.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  state_->thread = std::thread([state = state_.get()] { state->Run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

AccessLog::~AccessLog() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->WakeUp();
  state_->thread.join();
}

AccessLog::Writer* AccessLog::writer(int worker) {
  return state_->writers.at(static_cast<size_t>(worker)).get();
}

absl::Status AccessLog::Configure(const v1::AccessLog& settings, std::string_view default_format) {
  if (!settings.enabled()) {
    for (const auto& writer : state_->writers) writer->enabled_.store(false);
    const std::lock_guard lock(state_->mutex);
    state_->ChangeFile(nullptr);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const LogPlan plan, CompileLogPlan(settings, default_format));
  if (settings.path().empty()) {
    return absl::InvalidArgumentError("access_log.path: is missing; name a file, or - for stdout");
  }
  std::shared_ptr<LogFile> file;
  {
    const std::lock_guard lock(state_->mutex);
    file = state_->newest_file;
  }
  if (file == nullptr || file->path() != settings.path()) {
    ASSIGN_OR_RETURN(file, LogFile::Open(settings.path()));
    const std::lock_guard lock(state_->mutex);
    state_->ChangeFile(std::move(file));
  }
  for (const auto& writer : state_->writers) {
    // Each worker gets its own plan, and frees it. One that was not taken yet comes back.
    delete writer->ring_->next_plan.exchange(new LogPlan(plan), std::memory_order_acq_rel);
    writer->enabled_.store(true);
  }
  return absl::OkStatus();
}

absl::Status AccessLog::Reopen() {
  std::string path;
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->newest_file == nullptr) return absl::OkStatus();
    path = state_->newest_file->path();
  }
  ASSIGN_OR_RETURN(std::shared_ptr<LogFile> file, LogFile::Open(path));
  const std::lock_guard lock(state_->mutex);
  state_->ChangeFile(std::move(file));
  return absl::OkStatus();
}

uint64_t AccessLog::dropped_total() const {
  uint64_t total = state_->lost.load(std::memory_order_relaxed);
  for (const auto& writer : state_->writers) total += writer->ring_->dropped.Get();
  return total;
}

void AccessLog::Flush() {
  std::unique_lock lock(state_->mutex);
  const uint64_t wanted = ++state_->flushes_wanted;
  state_->WakeUp();
  state_->flushed.wait(lock, [this, wanted] { return state_->flushes_done >= wanted; });
}

void AccessLog::State::WakeUp() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake, &one, sizeof(one));
}

void AccessLog::State::Run() {
  pthread_setname_np(pthread_self(), "access-log");
  for (bool last = false; !last;) {
    pollfd ready{.fd = wake, .events = POLLIN, .revents = 0};
    poll(&ready, 1, wrote ? kBusyPauseMs : kIdlePauseMs);
    uint64_t ignored;
    [[maybe_unused]] const ssize_t got = read(wake, &ignored, sizeof(ignored));
    {
      const std::lock_guard lock(mutex);
      last = stopping;
    }
    Pass();
  }
}

void AccessLog::State::ChangeFile(std::shared_ptr<LogFile> to) {
  newest_file = to;
  if (files_pending.size() == kFilesPendingMax) files_pending.pop_front();
  files_pending.push_back(std::move(to));
  WakeUp();
}

void AccessLog::State::Pass() {
  std::deque<std::shared_ptr<LogFile>> changes;
  uint64_t flushing;
  {
    const std::lock_guard lock(mutex);
    changes.swap(files_pending);
    flushing = flushes_wanted;
  }
  wrote = false;
  // What was queued before a change still goes to the file of that time.
  for (std::shared_ptr<LogFile>& next : changes) {
    if (file != nullptr) Drain();
    file = std::move(next);
  }
  Drain();
  {
    const std::lock_guard lock(mutex);
    flushes_done = flushing;
  }
  flushed.notify_all();
}

void AccessLog::State::Drain() {
  std::vector<iovec> parts;
  std::vector<size_t> taken;
  for (const auto& writer : writers) {
    // Before looking: a worker that fills the ring from now on wakes the thread again.
    writer->ring_->woken.store(false, std::memory_order_relaxed);
    const std::span<const char> queued = writer->ring_->lines.Queued();
    taken.push_back(queued.size());
    parts.push_back({const_cast<char*>(queued.data()), queued.size()});
    wrote = wrote || !queued.empty();
  }
  if (!wrote) return;
  if (file != nullptr) {
    Complain(file->Write(parts));
  } else {
    // A worker that was in the middle of a line when the log was switched off.
    for (const iovec& part : parts) {
      const char* begin = static_cast<const char*>(part.iov_base);
      lost += static_cast<uint64_t>(std::count(begin, begin + part.iov_len, '\n'));
    }
  }
  for (size_t i = 0; i < writers.size(); ++i) writers[i]->ring_->lines.Free(taken[i]);
}

void AccessLog::State::Complain(const LogFile::Result& result) {
  if (result.error == 0) return;
  lost += result.lines_lost;
  lost_since_complaint += result.lines_lost;
  const auto now = std::chrono::steady_clock::now();
  if (last_complaint.time_since_epoch().count() != 0 && now - last_complaint < kComplaintInterval) {
    return;
  }
  spdlog::error("access log: cannot write to {}: {}; {} lines lost", file->path(),
                std::strerror(result.error), lost_since_complaint);
  last_complaint = now;
  lost_since_complaint = 0;
}

}  // namespace sluice::observe
