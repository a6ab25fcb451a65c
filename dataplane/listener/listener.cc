#include "dataplane/listener/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string_view>

#include "dataplane/downstream/client_connection.h"

namespace sluice::listener {
namespace {

// To a clear-text client over the limit; best effort, the connection closes at once.
constexpr std::string_view kOverloaded =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 25\r\nContent-Type: text/plain\r\n"
    "Connection: close\r\n\r\n503 too many connections\n";

base::UniqueFd OpenSpare() { return base::UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

}  // namespace

Listener::Listener(runtime::WorkerContext& context, exchange::MemoryPool& memories,
                   std::shared_ptr<SharedState> shared)
    : shared_(std::move(shared)),
      binding_(context, memories, shared_->open_connections),
      spare_(OpenSpare()) {}

Listener::~Listener() {
  KillConnections();
  for (const base::UniqueFd& socket : sockets_) {
    binding_.context.reactor.UnregisterListening(socket.get());
  }
  binding_.context.reactor.Forget(this);
}

void Listener::Update(runtime::WorkerRuntime& runtime, uint32_t service_index) {
  MoveGauge(-1);
  binding_.runtime.emplace(binding_.context, runtime);
  binding_.service_index = service_index;
  MoveGauge(1);
  for (auto* connection = binding_.connections; connection != nullptr;
       connection = connection->next()) {
    connection->OnServiceChanged();
  }
}

// Open connections count for the service that has them now.
void Listener::MoveGauge(int sign) {
  if (!binding_.runtime.has_value() || binding_.connections == nullptr) return;
  uint64_t count = 0;
  for (auto* connection = binding_.connections; connection != nullptr;
       connection = connection->next()) {
    ++count;
  }
  observe::Counter& gauge =
      binding_.context.stats.Listener(binding_.service().slot).connections_active;
  sign > 0 ? gauge.Add(count) : gauge.Sub(count);
}

bool Listener::Open(base::UniqueFd socket) {
  binding_.closing = false;
  const int fd = socket.get();
  sockets_.push_back(std::move(socket));
  return listen(fd, kBacklog) == 0 && binding_.context.reactor.RegisterListening(fd, this);
}

void Listener::CloseSockets() {
  if (sockets_.empty()) return;
  for (const base::UniqueFd& socket : sockets_) {
    while (AcceptOne(socket.get())) {
    }
    binding_.context.reactor.UnregisterListening(socket.get());
  }
  binding_.context.reactor.Forget(this);
  sockets_.clear();
}

void Listener::BeginClosing() {
  CloseSockets();
  binding_.closing = true;
  WindDownConnections();
}

void Listener::WindDownConnections() {
  for (auto* connection = binding_.connections; connection != nullptr;
       connection = connection->next()) {
    connection->WindDown();
  }
}

void Listener::KillConnections() {
  while (binding_.connections != nullptr) binding_.connections->Kill();
}

void Listener::OnEvents(uint32_t) {
  for (const base::UniqueFd& socket : sockets_) {
    for (int i = 0; i < kAcceptsPerEvent && AcceptOne(socket.get()); ++i) {
    }
  }
}

bool Listener::AcceptOne(int socket) {
  sockaddr_storage peer;
  socklen_t bytes = sizeof peer;
  const int fd =
      accept4(socket, reinterpret_cast<sockaddr*>(&peer), &bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {
    if (errno == EMFILE || errno == ENFILE) {
      RefuseOne(socket);
      return false;
    }
    // A connection that was reset while it waited is not the end of the queue.
    return errno == ECONNABORTED || errno == EINTR;
  }
  const runtime::Service& service = binding_.service();
  if (service.connections_max != 0 &&
      shared_->open_connections.load(std::memory_order_relaxed) >= service.connections_max) {
    auto& stats = binding_.context.stats.Listener(service.slot);
    stats.failures[static_cast<size_t>(http::Failure::kOverloaded)].Add();
    if (service.tls == nullptr && !service.tcp) {
      [[maybe_unused]] const ssize_t sent =
          send(fd, kOverloaded.data(), kOverloaded.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    close(fd);
    return true;
  }
  downstream::ClientConnection::Accept(binding_, fd, reinterpret_cast<const sockaddr*>(&peer));
  return true;
}

// Out of descriptors: without this the same connection would be reported for ever.
void Listener::RefuseOne(int socket) {
  spare_.Reset();
  const base::UniqueFd refused(accept(socket, nullptr, nullptr));
  spare_ = OpenSpare();
}

}  // namespace sluice::listener
