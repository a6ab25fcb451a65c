#include "controlplane/notify/courier.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/version.h"
#include "controlplane/notify/payload.h"

namespace sluice::notify {
namespace {

std::string WhyOf(const PostResult& result) {
  return result.status == 0 ? result.error : fmt::format("it answered {}", result.status);
}

}  // namespace

Courier::Courier(Webhook webhook, CourierOptions options, Send send)
    : webhook_(std::move(webhook)), options_(options), send_(std::move(send)) {
  if (send_ == nullptr) {
    send_ = [post = std::make_shared<HttpPost>(give_up_)](const PostRequest& request) {
      return post->Send(request);
    };
  }
  thread_ = std::thread([this] { Run(); });
}

void Courier::BeginFarewell() {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  stopping_ = true;
  farewell_end_ = std::chrono::steady_clock::now() + options_.farewell;
  changed_.notify_all();
}

Courier::~Courier() {
  BeginFarewell();
  {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, farewell_end_, [this] { return queue_.empty() && !busy_; });
    counters_.dropped += queue_.size();
    if (!queue_.empty()) {
      base::LogWarn("webhook {}: {} events are lost with the end of the controller", name(),
                    queue_.size());
    }
    queue_.clear();
  }
  give_up_ = true;
  thread_.join();
}

void Courier::Add(const Event& event) {
  if (std::find(webhook_.events.begin(), webhook_.events.end(), event.kind) ==
      webhook_.events.end()) {
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= options_.queue_max) {
      queue_.pop_front();
      ++counters_.dropped;
    }
    queue_.push_back(event);
  }
  changed_.notify_all();
}

CourierCounters Courier::counters() const {
  const std::lock_guard lock(mutex_);
  CourierCounters counters = counters_;
  counters.queued = queue_.size() + (busy_ ? 1 : 0);
  return counters;
}

void Courier::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const Event event = std::move(queue_.front());
    queue_.pop_front();
    busy_ = true;
    lock.unlock();
    Deliver(event);
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

PostRequest Courier::RequestOf(const std::string& kind, const std::string& id,
                               const std::string& body) const {
  // Signed anew for each attempt: receivers refuse old signatures.
  return {.url = webhook_.url,
          .headers = {{"Content-Type", "application/json"},
                      {"User-Agent", fmt::format("sluice-controller/{}", base::Version())},
                      {"Sluice-Event", kind},
                      {"Sluice-Delivery", id},
                      {"Sluice-Signature", Sign(webhook_.secret, base::UnixSeconds(), body)},
                      {"Expect", ""}},
          .body = body,
          .ca_file = webhook_.ca_file,
          .timeout = webhook_.timeout};
}

void Courier::Deliver(const Event& event) {
  const std::string id = NewDeliveryId();
  const std::string body = BodyOf(event, id);
  base::Backoff backoff(options_.pause_min, options_.pause_max, base::RandomSeed());
  PostResult result;
  for (int attempt = 1;; ++attempt) {
    result = send_(RequestOf(std::string(NameOf(event.kind)), id, body));
    if (result.delivered() || !result.may_pass() || attempt >= webhook_.attempts) break;
    if (!Pause(backoff.Next())) break;
    const std::lock_guard lock(mutex_);
    ++counters_.retries;
  }
  const std::lock_guard lock(mutex_);
  if (result.delivered()) {
    ++counters_.delivered;
    complained_ = false;
    return;
  }
  ++counters_.failed;
  if (complained_) return;
  complained_ = true;
  base::LogWarn("webhook {}: the event {} {} is given up: {}; the next ones are given up silently",
                name(), NameOf(event.kind), event.action, WhyOf(result));
}

bool Courier::Pause(std::chrono::milliseconds pause) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, pause, [this] { return stopping_; });
}

}  // namespace sluice::notify
