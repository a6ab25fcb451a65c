// Waits until new endpoints have answered their first health check, so that a snapshot does not
// begin with endpoints nobody knows anything of.
//
// Control thread.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "dataplane/upstream/endpoint_health.h"

namespace sluice::upstream {

class WarmUp {
 public:
  struct Awaited {
    std::shared_ptr<const EndpointHealth> health;
    int64_t until_micros;  // Monotonic; nobody waits longer for it.
  };

  // `context` runs on the control thread and outlives this object.
  explicit WarmUp(boost::asio::io_context& context) : timer_(context) {}
  WarmUp(const WarmUp&) = delete;
  WarmUp& operator=(const WarmUp&) = delete;

  // Calls `warm` once, when all have been checked or their time is over; before it returns where
  // none is waited for. Takes the place of a wait that is under way.
  void Begin(std::vector<Awaited> awaited, std::function<void()> warm);
  // `warm` is not called any more, and no endpoint is held.
  void Cancel();

  // Whether the first answer of one of them is still worth waiting for.
  static bool IsWaiting(const std::vector<Awaited>& awaited, int64_t now_micros);

 private:
  void Look();

  boost::asio::steady_timer timer_;
  std::vector<Awaited> awaited_;
  std::function<void()> warm_;
};

}  // namespace sluice::upstream
