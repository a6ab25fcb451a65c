#include "dataplane/restart/drain_figures.h"

#include <fcntl.h>

#include <utility>

#include "common/base/log.h"

namespace sluice::restart {
namespace {

// A successor that does not read must not hold up the control thread.
constexpr std::chrono::milliseconds kSendTimeout{10};

using Counts = google::protobuf::RepeatedField<uint64_t>;

// Processes of different builds may count in different buckets: then they are left out.
void Add(const Counts& from, Counts* to) {
  if (to->empty()) to->Resize(from.size(), 0);
  if (to->size() != from.size()) return;
  for (int i = 0; i < from.size(); ++i) (*to)[i] += from[i];
}

Counts Growth(const Counts& now, const Counts& before) {
  Counts growth = now;
  for (int i = 0; i < growth.size() && i < before.size(); ++i) growth[i] -= before[i];
  return growth;
}

v1::HandoverFigures Growth(const v1::HandoverFigures& now, const v1::HandoverFigures& before) {
  v1::HandoverFigures growth;
  growth.set_connections(now.connections());
  growth.set_requests(now.requests() - before.requests());
  *growth.mutable_responses_by_class() =
      Growth(now.responses_by_class(), before.responses_by_class());
  *growth.mutable_latency_buckets() = Growth(now.latency_buckets(), before.latency_buckets());
  growth.set_bytes_received(now.bytes_received() - before.bytes_received());
  growth.set_bytes_sent(now.bytes_sent() - before.bytes_sent());
  return growth;
}

}  // namespace

DrainTeller::DrainTeller(boost::asio::io_context& context, HandoverChannel channel, Totals totals)
    : channel_(std::move(channel)), totals_(std::move(totals)), told_(totals_()), timer_(context) {
  channel_.SetTimeout(kSendTimeout);
  told_.set_connections(0);  // Not told yet.
  Tell();
  Wait();
}

void DrainTeller::Tell() {
  v1::HandoverFigures now = totals_();
  v1::HandoverMessage message;
  *message.mutable_figures() = Growth(now, told_);
  if (channel_.Send(std::move(message)).ok()) told_ = std::move(now);
}

void DrainTeller::Wait() {
  timer_.expires_after(kInterval);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    Tell();
    Wait();
  });
}

DrainingPredecessors::Followed::Followed(boost::asio::io_context& context, HandoverChannel of)
    : channel(std::move(of)), readable(context, fcntl(channel.fd(), F_DUPFD_CLOEXEC, 0)) {}

void DrainingPredecessors::Follow(HandoverChannel channel) {
  followed_.emplace_front(context_, std::move(channel));
  Await(followed_.begin());
}

void DrainingPredecessors::Await(Iterator followed) {
  followed->readable.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                                [this, followed](const boost::system::error_code& error) {
                                  if (!error) OnReadable(followed);
                                });
}

void DrainingPredecessors::OnReadable(Iterator followed) {
  const auto received = followed->channel.Receive(false);
  if (!received.ok() || !received->message.has_figures()) {
    if (absl::IsInvalidArgument(received.status())) {
      base::LogWarn("a draining process: {}", std::string(received.status().message()));
    }
    followed_.erase(followed);
    return;
  }
  const v1::HandoverFigures& figures = received->message.figures();
  followed->connections = figures.connections();
  sum_.set_requests(sum_.requests() + figures.requests());
  Add(figures.responses_by_class(), sum_.mutable_responses_by_class());
  Add(figures.latency_buckets(), sum_.mutable_latency_buckets());
  sum_.set_bytes_received(sum_.bytes_received() + figures.bytes_received());
  sum_.set_bytes_sent(sum_.bytes_sent() + figures.bytes_sent());
  Await(followed);
}

std::vector<base::UniqueFd> DrainingPredecessors::CopyChannels() const {
  std::vector<base::UniqueFd> copies;
  for (const Followed& followed : followed_) {
    copies.emplace_back(fcntl(followed.channel.fd(), F_DUPFD_CLOEXEC, 0));
  }
  return copies;
}

uint32_t DrainingPredecessors::connections() const {
  uint32_t connections = 0;
  for (const Followed& followed : followed_) connections += followed.connections;
  return connections;
}

void DrainingPredecessors::AddTo(v1::Report* report) const {
  report->set_downstream_connections(report->downstream_connections() + connections());
  report->set_draining_processes(static_cast<uint32_t>(processes()));
  report->set_draining_connections(connections());
  report->set_requests_total(report->requests_total() + sum_.requests());
  Add(sum_.responses_by_class(), report->mutable_responses_by_class());
  Add(sum_.latency_buckets(), report->mutable_latency_buckets());
  report->set_bytes_received_total(report->bytes_received_total() + sum_.bytes_received());
  report->set_bytes_sent_total(report->bytes_sent_total() + sum_.bytes_sent());
}

}  // namespace sluice::restart
