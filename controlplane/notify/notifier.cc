#include "controlplane/notify/notifier.h"

#include <utility>

#include "common/base/clock.h"

namespace sluice::notify {

Notifier::Notifier(const std::vector<Webhook>& webhooks, CourierOptions options) {
  for (const Webhook& webhook : webhooks) {
    couriers_.push_back(std::make_unique<Courier>(webhook, options));
  }
}

Notifier::~Notifier() {
  for (const auto& courier : couriers_) courier->BeginFarewell();
}

void Notifier::Publish(Event event) const {
  if (couriers_.empty()) return;
  if (event.unix_ms == 0) event.unix_ms = base::UnixMillis();
  for (const auto& courier : couriers_) courier->Add(event);
}

std::vector<Notifier::Figures> Notifier::figures() const {
  std::vector<Figures> all;
  for (const auto& courier : couriers_) all.push_back({courier->name(), courier->counters()});
  return all;
}

}  // namespace sluice::notify
