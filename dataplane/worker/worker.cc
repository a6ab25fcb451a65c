#include "dataplane/worker/worker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <string.h>

#include <algorithm>
#include <limits>

#include "common/base/log.h"

namespace sluice::worker {
namespace {

constexpr io::Millis kMaintenanceInterval{100};
constexpr io::Millis kYoungest{1000};  // Who asks at once is answered, if only by 503.

}  // namespace

Worker::Worker(int index, observe::WorkerStats& stats, observe::AccessLog::Writer& access_log,
               overload::LoadGate& gate, Hooks hooks)
    : index_(index),
      hooks_(std::move(hooks)),
      random_(base::RandomSeed()),
      context_{.reactor = reactor_,
               .buffers = buffers_,
               .random = random_,
               .stats = stats,
               .access_log = access_log,
               .gate = gate,
               .retire = Retire,
               .give_up_oldest_idle = GiveUpOldestIdle,
               .owner = this} {
  maintenance_.set_callback(OnMaintenance, this);
}

Worker::~Worker() { Stop(); }

void Worker::Start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), fmt::format("worker-{}", index_).c_str());
    reactor_.Run();
  });
}

void Worker::Stop() {
  if (!thread_.joinable()) return;
  reactor_.Post([this] { StopHere(); });
  reactor_.Stop();
  thread_.join();
}

void Worker::StopHere() {
  closing_.clear();
  listeners_.clear();
  if (current_ != nullptr && --current_->uses == 0) Retire(this, current_);
  current_ = nullptr;
}

void Worker::Commit(const runtime::RuntimeConfig* config, std::vector<ListenerSocket> sockets,
                    io::Millis drain_timeout, std::function<void()> done) {
  auto shared = std::make_shared<std::vector<ListenerSocket>>(std::move(sockets));
  reactor_.Post([this, config, shared, drain_timeout, done = std::move(done)] {
    CommitHere(config, std::move(*shared), drain_timeout);
    done();
  });
}

std::unique_ptr<runtime::WorkerRuntime> Worker::MakeRuntime(const runtime::RuntimeConfig* config) {
  auto runtime = std::make_unique<runtime::WorkerRuntime>();
  runtime->config = config;
  runtime->clusters.reserve(config->clusters.size());
  // A cluster that stayed the same is the same object, with its pools and its balancer's state.
  std::unordered_map<const upstream::ClusterSpec*, std::shared_ptr<upstream::Cluster>> kept;
  if (current_ != nullptr) {
    for (const auto& cluster : current_->clusters) kept.emplace(&cluster->spec(), cluster);
  }
  for (const auto& spec : config->clusters) {
    const auto same = kept.find(spec.get());
    runtime->clusters.push_back(same != kept.end()
                                    ? same->second
                                    : std::make_shared<upstream::Cluster>(spec, HomeOf(*spec)));
  }
  return runtime;
}

upstream::ClusterHome Worker::HomeOf(const upstream::ClusterSpec& spec) {
  return {.reactor = reactor_,
          .pools = pools_,
          .stats = context_.stats.Cluster(spec.slot),
          .seed = random_.Next(),
          .workers = hooks_.workers};
}

void Worker::CommitHere(const runtime::RuntimeConfig* config, std::vector<ListenerSocket> sockets,
                        io::Millis drain_timeout) {
  const uint64_t descriptors = context_.gate.limits().upstream_descriptors;
  reactor_.set_connect_descriptors_max(
      static_cast<int>(std::min<uint64_t>(descriptors, std::numeric_limits<int>::max())));
  runtime::WorkerRuntime* runtime = MakeRuntime(config).release();  // Freed by Retire.
  ++runtime->uses;
  std::unordered_map<std::string, std::unique_ptr<listener::Listener>> serving;
  for (uint32_t i = 0; i < sockets.size(); ++i) {
    ListenerSocket& socket = sockets[i];
    std::unique_ptr<listener::Listener> listener;
    if (const auto found = listeners_.find(socket.address); found != listeners_.end()) {
      listener = std::move(found->second);
    } else {
      listener = MakeListener(socket);
    }
    listener->Update(*runtime, i);
    if (!context_.draining) OpenSockets(*listener, socket);
    serving.emplace(socket.address, std::move(listener));
  }
  listeners_.swap(serving);
  for (auto& [address, listener] : serving) {
    if (listener == nullptr) continue;
    listener->BeginClosing();
    const int64_t deadline = drain_timeout.count() == 0
                                 ? INT64_MAX
                                 : reactor_.now_micros() + drain_timeout.count() * 1000;
    closing_.push_back({std::move(listener), deadline});
    reactor_.timers().Arm(maintenance_, kMaintenanceInterval);
  }
  if (current_ != nullptr && --current_->uses == 0) Retire(this, current_);
  current_ = runtime;
}

std::unique_ptr<listener::Listener> Worker::MakeListener(const ListenerSocket& socket) {
  const auto hand_over = [this, address = socket.address, seats = socket.seats](
                             size_t worker, base::UniqueFd connection,
                             const sockaddr_storage& peer) {
    hooks_.colleague(worker).TakeOver(address, seats, std::move(connection), peer);
  };
  return std::make_unique<listener::Listener>(
      context_, memories_, socket.seats,
      listener::Place{.worker = static_cast<size_t>(index_), .hand_over = hand_over});
}

listener::Listener* Worker::FindListener(const std::string& address, const listener::Seats* seats) {
  if (const auto found = listeners_.find(address); found != listeners_.end()) {
    return found->second.get();
  }
  for (const Closing& closing : closing_) {
    if (closing.listener->seats() == seats) return closing.listener.get();
  }
  return nullptr;
}

void Worker::TakeOver(const std::string& address, std::shared_ptr<listener::Seats> seats,
                      base::UniqueFd connection, const sockaddr_storage& peer) {
  auto shared = std::make_shared<base::UniqueFd>(std::move(connection));
  reactor_.Post([this, address, seats = std::move(seats), shared, peer] {
    if (listener::Listener* listener = FindListener(address, seats.get()); listener != nullptr) {
      listener->TakeOver(std::move(*shared), peer);
      return;
    }
    // The listener has gone meanwhile: the client comes a moment too late.
    shared->Reset();
    seats->open(static_cast<size_t>(index_)).fetch_sub(1, std::memory_order_relaxed);
  });
}

void Worker::OpenSockets(listener::Listener& listener, ListenerSocket& socket) {
  for (base::UniqueFd& fd : socket.sockets) {
    if (listener.Open(std::move(fd))) continue;
    base::LogError("worker {}: cannot listen on {}: {}", index_, socket.address, strerror(errno));
  }
  socket.sockets.clear();
}

void Worker::BeginDrain() {
  reactor_.Post([this] {
    context_.draining = true;
    for (auto& [address, listener] : listeners_) {
      listener->CloseSockets();
      listener->WindDownConnections();
    }
  });
}

void Worker::EndDrain(std::vector<ListenerSocket> sockets) {
  auto shared = std::make_shared<std::vector<ListenerSocket>>(std::move(sockets));
  reactor_.Post([this, shared] {
    context_.draining = false;
    for (ListenerSocket& socket : *shared) {
      const auto found = listeners_.find(socket.address);
      if (found != listeners_.end()) OpenSockets(*found->second, socket);
    }
  });
}

void Worker::CopySockets(std::function<void(std::vector<BoundSocket>)> done) {
  reactor_.Post([this, done = std::move(done)] {
    std::vector<BoundSocket> copies;
    for (const auto& [address, listener] : listeners_) {
      for (const base::UniqueFd& socket : listener->sockets()) {
        copies.push_back({address, base::UniqueFd(fcntl(socket.get(), F_DUPFD_CLOEXEC, 0))});
      }
    }
    done(std::move(copies));
  });
}

void Worker::ListConnections(std::function<void(std::vector<ConnectionInfo>)> done) {
  reactor_.Post([this, done = std::move(done)] {
    std::vector<ConnectionInfo> list;
    const auto add = [this, &list](const listener::Listener& listener) {
      const downstream::ServiceBinding& binding = listener.binding();
      for (auto* connection = binding.connections; connection != nullptr;
           connection = connection->next()) {
        list.push_back({binding.service().name, static_cast<size_t>(index_), connection->info(),
                        binding.winding_down()});
      }
    };
    for (const auto& [address, listener] : listeners_) add(*listener);
    for (const Closing& closing : closing_) add(*closing.listener);
    done(std::move(list));
  });
}

void Worker::BeginPreflight(const runtime::RuntimeConfig* prepared, uint32_t sample_percent) {
  reactor_.Post([this, prepared, sample_percent] {
    shadow_ = std::make_unique<preflight::Shadow>(*prepared, sample_percent);
    context_.shadow = shadow_.get();
  });
}

void Worker::EndPreflight(std::function<void()> done) {
  reactor_.Post([this, done = std::move(done)] {
    context_.shadow = nullptr;
    shadow_.reset();
    done();
  });
}

void Worker::ReadPreflight(std::function<void(const v1::PreflightReport&)> done) {
  reactor_.Post([this, done = std::move(done)] {
    done(shadow_ == nullptr ? v1::PreflightReport() : shadow_->ToReport());
  });
}

// May be called from deep inside an exchange: the clusters go when its stack has unwound.
void Worker::Retire(void* worker, runtime::WorkerRuntime* runtime) {
  auto* self = static_cast<Worker*>(worker);
  self->retired_.push_back(runtime);
  if (self->retired_.size() == 1) self->reactor_.Defer(FreeRetired, self);
}

void Worker::FreeRetired(void* worker) {
  auto* self = static_cast<Worker*>(worker);
  for (runtime::WorkerRuntime* runtime : self->retired_) {
    const runtime::RuntimeConfig* config = runtime->config;
    delete runtime;
    self->pools_.Collect();
    self->hooks_.released(config);
  }
  self->retired_.clear();
}

void Worker::GiveUpIdle() {
  reactor_.Post([this] {
    size_t given_up = 0;
    for (auto& [address, listener] : listeners_) given_up += listener->GiveUpIdle(kYoungest);
    context_.gate.CountShed(overload::Resource::kMemory, given_up);
  });
}

size_t Worker::GiveUpOldestIdle(void* worker) {
  size_t given_up = 0;
  for (auto& [address, listener] : static_cast<Worker*>(worker)->listeners_) {
    given_up += listener->GiveUpOldestIdle();
  }
  return given_up;
}

void Worker::OnMaintenance(void* worker) { static_cast<Worker*>(worker)->Maintain(); }

void Worker::Maintain() {
  std::erase_if(closing_, [this](const Closing& closing) {
    return closing.listener->empty() || reactor_.now_micros() >= closing.deadline_micros;
  });
  if (!closing_.empty()) reactor_.timers().Arm(maintenance_, kMaintenanceInterval);
}

}  // namespace sluice::worker
