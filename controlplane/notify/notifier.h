// Tells all webhooks of an event.
//
// Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "controlplane/notify/courier.h"

namespace sluice::notify {

class Notifier {
 public:
  struct Figures {
    std::string webhook;
    CourierCounters counters;
  };

  // Without webhooks it costs nothing and does nothing.
  explicit Notifier(const std::vector<Webhook>& webhooks = {}, CourierOptions options = {});
  ~Notifier();  // Within one farewell of its couriers.
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  // Never waits, whatever the receivers do. `event.unix_ms` 0 is filled with the present time.
  void Publish(Event event) const;

  std::vector<Figures> figures() const;

 private:
  std::vector<std::unique_ptr<Courier>> couriers_;
};

}  // namespace sluice::notify
