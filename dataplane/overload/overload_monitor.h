// Watches the process's memory, and tells the gate what its limits are.
//
// Control thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>

#include "dataplane/overload/load_gate.h"
#include "sluice/v1/settings.pb.h"

namespace sluice::overload {

class OverloadMonitor {
 public:
  // `gate` and `context` must outlive it. `give_up_idle` is called again and again while memory is
  // short; it may do its work later.
  OverloadMonitor(boost::asio::io_context& context, LoadGate& gate,
                  std::function<void()> give_up_idle);

  // The limits of a version that goes into service; where it names none, the system's.
  void Configure(const v1::ProcessLimits& limits);

 private:
  void Watch();
  void Judge();

  LoadGate& gate_;
  const std::function<void()> give_up_idle_;
  boost::asio::steady_timer timer_;
};

}  // namespace sluice::overload
