#include "dataplane/listener/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "dataplane/downstream/client_connection.h"

namespace sluice::listener {
namespace {

// To a clear-text client over the limit; best effort, the connection closes at once.
constexpr std::string_view kOverloaded =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 25\r\nContent-Type: text/plain\r\n"
    "Connection: close\r\nRetry-After: 1\r\n\r\n503 too many connections\n";

constexpr size_t kGivenUpAtOnce = 64;
constexpr int64_t kIdleSearchMicros = 100'000;

base::UniqueFd OpenSpare() { return base::UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

}  // namespace

Listener::Listener(runtime::WorkerContext& context, exchange::MemoryPool& memories,
                   std::shared_ptr<Seats> seats, Place place)
    : seats_(std::move(seats)),
      place_(std::move(place)),
      binding_(context, memories, seats_->open(place_.worker)),
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
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // Connections inherit it.
  return listen(fd, kBacklog) == 0 && binding_.context.reactor.RegisterListening(fd, this);
}

void Listener::CloseSockets() {
  if (sockets_.empty()) return;
  for (const base::UniqueFd& socket : sockets_) {
    while (AcceptOne(socket.get(), false)) {
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

// To hear that nobody waits any more costs a system call, which is much where connections come one
// by one: no more are asked for than came last time, and only now and then more. Who still waits is
// reported again at once.
void Listener::OnEvents(uint32_t) {
  for (const base::UniqueFd& socket : sockets_) {
    int accepted = 0;
    while (accepted < accepts_per_event_ && AcceptOne(socket.get(), true)) ++accepted;
    if (accepted < accepts_per_event_) {
      accepts_per_event_ = std::max(accepted, 1);
      full_events_ = 0;
    } else if (++full_events_ >= kFullEvents) {
      accepts_per_event_ = std::min(accepts_per_event_ * 2, kAcceptsPerEventMax);
      full_events_ = 0;
    }
  }
}

bool Listener::AcceptOne(int socket, bool may_hand_over) {
  sockaddr_storage peer;
  socklen_t bytes = sizeof peer;
  const int fd =
      accept4(socket, reinterpret_cast<sockaddr*>(&peer), &bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {
    if (errno == EMFILE || errno == ENFILE) {
      RefuseNext(socket);
      return false;
    }
    // A connection that was reset while it waited is not the end of the queue.
    return errno == ECONNABORTED || errno == EINTR;
  }
  base::UniqueFd connection(fd);
  const uint32_t most = binding_.service().connections_max;
  const bool service_is_full = most != 0 && seats_->total() >= most;
  if (service_is_full || !HasRoomFor(fd)) {
    Refuse(std::move(connection));
    return true;
  }
  const size_t best = may_hand_over ? seats_->BestFor(place_.worker) : place_.worker;
  if (best != place_.worker) {
    seats_->open(best).fetch_add(1, std::memory_order_relaxed);
    place_.hand_over(best, std::move(connection), peer);
    return true;
  }
  downstream::ClientConnection::Accept(binding_, connection.Release(),
                                       reinterpret_cast<const sockaddr*>(&peer));
  return true;
}

void Listener::TakeOver(base::UniqueFd connection, const sockaddr_storage& peer) {
  downstream::ClientConnection::Accept(binding_, connection.Release(),
                                       reinterpret_cast<const sockaddr*>(&peer));
  seats_->open(place_.worker).fetch_sub(1, std::memory_order_relaxed);  // It has its own now.
}

bool Listener::HasRoomFor(int fd) {
  runtime::WorkerContext& context = binding_.context;
  // Requests learn for themselves that memory is short, and can be told so.
  if (binding_.service().tcp && context.gate.sheds_requests()) {
    context.gate.CountShed(overload::Resource::kMemory);
    return false;
  }
  const auto wanting = context.gate.WantingFor(fd);
  if (!wanting.has_value()) return true;
  const int64_t now = context.reactor.now_micros();
  size_t given_up = 0;
  if (now >= nobody_idle_until_micros_) {
    given_up = context.give_up_oldest_idle(context.owner);
    if (given_up == 0) nobody_idle_until_micros_ = now + kIdleSearchMicros;
  }
  context.gate.CountShed(*wanting, std::max<size_t>(given_up, 1));
  return given_up > 0;
}

void Listener::Refuse(base::UniqueFd connection) {
  const runtime::Service& service = binding_.service();
  auto& stats = binding_.context.stats.Listener(service.slot);
  stats.failures[static_cast<size_t>(http::Failure::kOverloaded)].Add();
  if (service.tls != nullptr || service.tcp) return;
  [[maybe_unused]] const ssize_t sent =
      send(connection.get(), kOverloaded.data(), kOverloaded.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

// Out of descriptors: without this the same connection would be reported for ever.
void Listener::RefuseNext(int socket) {
  spare_.Reset();
  if (base::UniqueFd next(accept(socket, nullptr, nullptr)); next.get() >= 0) {
    binding_.context.gate.CountShed(overload::Resource::kDescriptors);
    Refuse(std::move(next));
  }
  spare_ = OpenSpare();
}

std::vector<downstream::ClientConnection*> Listener::Idle() const {
  std::vector<downstream::ClientConnection*> idle;
  for (auto* connection = binding_.connections; connection != nullptr;
       connection = connection->next()) {
    if (connection->idle()) idle.push_back(connection);
  }
  return idle;
}

size_t Listener::GiveUpOldestIdle() {
  const auto idle = Idle();
  const size_t count = std::min((idle.size() + 7) / 8, kGivenUpAtOnce);
  std::for_each(idle.end() - static_cast<std::ptrdiff_t>(count), idle.end(),
                [](downstream::ClientConnection* connection) { connection->Kill(); });
  return count;
}

size_t Listener::GiveUpIdle(io::Millis age) {
  const int64_t until = binding_.context.reactor.now_micros() - io::Micros(age).count();
  size_t count = 0;
  for (auto* connection : Idle()) {
    if (connection->accepted_micros() > until) continue;
    connection->Kill();
    ++count;
  }
  return count;
}

}  // namespace sluice::listener
