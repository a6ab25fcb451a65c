#include "dataplane/worker/worker_set.h"

#include <latch>
#include <mutex>

#include "common/base/address.h"
#include "common/base/check.h"
#include "dataplane/listener/bound_socket.h"

namespace sluice::worker {

WorkerSet::WorkerSet(WorkerSetOptions options, observe::Registry& registry,
                     observe::AccessLog& access_log, overload::LoadGate& gate)
    : options_(std::move(options)) {
  Worker::Hooks hooks;
  hooks.released = [this](const runtime::RuntimeConfig* config) {
    options_.post_to_control([this, config] { Released(config); });
  };
  hooks.workers = static_cast<uint32_t>(options_.workers);
  hooks.colleague = [this](size_t worker) -> Worker& { return *workers_[worker]; };
  for (int i = 0; i < options_.workers; ++i) {
    workers_.push_back(
        std::make_unique<Worker>(i, *registry.AddWorker(), *access_log.writer(i), gate, hooks));
    workers_.back()->Start();
  }
}

WorkerSet::~WorkerSet() { Stop(); }

void WorkerSet::Stop() {
  stopped_ = true;
  for (auto& worker : workers_) worker->Stop();
}

void WorkerSet::GiveUpIdle() {
  for (auto& worker : workers_) worker->GiveUpIdle();
}

std::string WorkerSet::BoundAddress(const std::string& configured) const {
  if (options_.bind_host.empty()) return configured;
  const auto parts = base::ParseHostPort(configured);
  if (!parts.ok() || (parts->host != "0.0.0.0" && parts->host != "127.0.0.1")) return configured;
  return base::FormatHostPort(options_.bind_host, parts->port);
}

std::vector<v1::ResourceError> WorkerSet::PrepareSockets(const runtime::RuntimeConfig& config) {
  prepared_.clear();
  std::vector<v1::ResourceError> errors;
  std::set<std::string> served;
  if (current_ != nullptr && !draining_) {
    for (const auto& service : current_->services) served.insert(BoundAddress(service->address));
  }
  for (const auto& service : config.services) {
    const std::string address = BoundAddress(service->address);
    if (served.contains(address) || draining_) continue;
    auto sockets = BindOrAdopt(address);
    if (sockets.ok()) {
      prepared_.emplace(address, *std::move(sockets));
      continue;
    }
    v1::ResourceError& error = errors.emplace_back();
    error.mutable_resource()->set_kind(v1::RESOURCE_KIND_LISTENER);
    error.mutable_resource()->set_name(service->name);
    error.set_field("address");
    const auto message = sockets.status().message();
    error.set_message(message.data(), message.size());
  }
  if (!errors.empty()) prepared_.clear();
  return errors;
}

absl::StatusOr<std::vector<base::UniqueFd>> WorkerSet::BindOrAdopt(const std::string& address) {
  const auto found = adopted_.find(address);
  if (found == adopted_.end()) return listener::BindSockets(address, options_.workers);
  // Every one of them has a queue of its own: none may be left without a worker.
  std::vector<base::UniqueFd> sockets = std::move(found->second);
  adopted_.erase(found);
  const int missing = options_.workers - static_cast<int>(sockets.size());
  if (missing <= 0) return sockets;
  auto added = listener::BindMoreSockets(address, missing);
  if (!added.ok()) return added.status();
  for (base::UniqueFd& socket : *added) sockets.push_back(std::move(socket));
  return sockets;
}

void WorkerSet::AdoptSockets(SocketsByAddress sockets) {
  adopted_ = std::move(sockets);
  holding_ = true;
}

void WorkerSet::BeginAccepting() {
  SLUICE_CHECK(holding_ && current_ != nullptr);
  holding_ = false;
  for (size_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->EndDrain(SocketsFor(i, *current_, held_));
  }
  held_.clear();
}

std::vector<BoundSocket> WorkerSet::CopySockets() {
  std::vector<BoundSocket> all;
  if (stopped_) return all;
  std::mutex mutex;  // Guards `all`.
  std::latch answered(static_cast<std::ptrdiff_t>(workers_.size()));
  for (auto& worker : workers_) {
    worker->CopySockets([&](std::vector<BoundSocket> part) {
      {
        const std::lock_guard lock(mutex);
        for (BoundSocket& copy : part) all.push_back(std::move(copy));
      }
      answered.count_down();
    });
  }
  answered.wait();
  return all;
}

std::vector<ListenerSocket> WorkerSet::SocketsFor(size_t worker,
                                                  const runtime::RuntimeConfig& config,
                                                  SocketsByAddress& sockets) {
  std::vector<ListenerSocket> list;
  for (const auto& service : config.services) {
    ListenerSocket& entry = list.emplace_back();
    entry.address = BoundAddress(service->address);
    auto& seats = seats_[entry.address];
    if (seats == nullptr) seats = std::make_shared<listener::Seats>(workers_.size());
    entry.seats = seats;
    const auto found = sockets.find(entry.address);
    if (found == sockets.end()) continue;
    for (size_t i = worker; i < found->second.size(); i += workers_.size()) {
      entry.sockets.push_back(std::move(found->second[i]));
    }
  }
  return list;
}

void WorkerSet::Commit(std::shared_ptr<const runtime::RuntimeConfig> config,
                       std::function<void()> on_effective) {
  const runtime::RuntimeConfig* raw = config.get();
  if (holding_) {
    held_.merge(prepared_);
    prepared_.clear();
  }
  adopted_.clear();
  in_use_[raw] = {config, options_.workers};
  current_ = std::move(config);
  auto left = std::make_shared<std::atomic<int>>(options_.workers);
  const io::Millis drain_timeout(raw->settings.drain_timeout_ms());
  for (size_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->Commit(raw, SocketsFor(i, *raw, prepared_), drain_timeout,
                        [this, left, on_effective] {
                          if (left->fetch_sub(1) == 1) options_.post_to_control(on_effective);
                        });
  }
  prepared_.clear();
}

void WorkerSet::Released(const runtime::RuntimeConfig* config) {
  const auto found = in_use_.find(config);
  SLUICE_CHECK(found != in_use_.end());
  if (--found->second.workers == 0) in_use_.erase(found);
}

absl::Status WorkerSet::SetDraining(bool draining) {
  if (draining == draining_) return absl::OkStatus();
  if (draining) {
    draining_ = true;
    for (auto& worker : workers_) worker->BeginDrain();
    return absl::OkStatus();
  }
  SocketsByAddress sockets;
  if (current_ != nullptr) {
    for (const auto& service : current_->services) {
      const std::string address = BoundAddress(service->address);
      auto bound = listener::BindSockets(address, options_.workers);
      if (!bound.ok()) return bound.status();
      sockets.emplace(address, *std::move(bound));
    }
    for (size_t i = 0; i < workers_.size(); ++i) {
      workers_[i]->EndDrain(SocketsFor(i, *current_, sockets));
    }
  }
  draining_ = false;
  return absl::OkStatus();
}

uint32_t WorkerSet::open_connections() const {
  uint32_t open = 0;
  for (const auto& [address, seats] : seats_) open += seats->total();
  return open;
}

uint32_t WorkerSet::open_connections(const std::string& bound_address) const {
  const auto found = seats_.find(bound_address);
  return found == seats_.end() ? 0 : found->second->total();
}

std::vector<ConnectionInfo> WorkerSet::ListConnections() {
  std::vector<ConnectionInfo> all;
  if (stopped_) return all;
  std::mutex mutex;  // Guards `all`.
  std::latch answered(static_cast<std::ptrdiff_t>(workers_.size()));
  for (auto& worker : workers_) {
    worker->ListConnections([&](std::vector<ConnectionInfo> part) {
      {
        const std::lock_guard lock(mutex);
        for (ConnectionInfo& info : part) all.push_back(std::move(info));
      }
      answered.count_down();
    });
  }
  answered.wait();
  return all;
}

void WorkerSet::BeginPreflight(std::shared_ptr<const runtime::RuntimeConfig> prepared,
                               uint32_t sample_percent) {
  EndPreflight();
  preflight_ = std::move(prepared);
  for (auto& worker : workers_) worker->BeginPreflight(preflight_.get(), sample_percent);
}

void WorkerSet::EndPreflight() {
  if (preflight_ == nullptr || stopped_) return;
  std::latch answered(static_cast<std::ptrdiff_t>(workers_.size()));
  for (auto& worker : workers_) {
    worker->EndPreflight([&answered] { answered.count_down(); });
  }
  answered.wait();
  preflight_.reset();
}

v1::PreflightReport WorkerSet::ReadPreflight() {
  preflight::Tally all;
  if (preflight_ == nullptr || stopped_) return all.ToReport();
  std::mutex mutex;  // Guards `all`.
  std::latch answered(static_cast<std::ptrdiff_t>(workers_.size()));
  for (auto& worker : workers_) {
    worker->ReadPreflight([&](const v1::PreflightReport& report) {
      {
        const std::lock_guard lock(mutex);
        all.Merge(report);
      }
      answered.count_down();
    });
  }
  answered.wait();
  return all.ToReport();
}

}  // namespace sluice::worker
