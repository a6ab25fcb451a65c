// Keeps the stream to a controller: connects, reconnects with full jitter, tries the next address
// after a failure, carries a Session's messages.
//
// Runs on the control thread; gRPC's threads only post to it. One message is read at a time, so a
// controller that sends faster than we work waits in HTTP/2's flow control. At most kQueueMax
// messages and kQueueBytesMax bytes wait to be written. While more than kQueueBeforeReports wait,
// reports are left out (the next one says the same and more); at the maximum the controller does
// not read: the stream is ended, to begin afresh with Hello.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/control/session.h"

namespace sluice::control {

struct ControlClientOptions {
  std::vector<std::string> controllers;  // host:port; at least one.
  bool insecure = false;
  // PEM files, read again for every connection. Certificate and key may be one file.
  std::string tls_cert, tls_key, tls_ca;
  std::chrono::milliseconds reconnect_min{500};
  std::chrono::milliseconds reconnect_max{30'000};
  // A controller that takes the stream and does not answer Hello for so long is a failure.
  std::chrono::milliseconds welcome_timeout{10'000};
  // After so long without a word a ping is sent, and answered in that time or the stream ends.
  std::chrono::milliseconds keepalive{3'000};
  // The controller does not accept this node's certificate. May be null.
  std::function<void()> on_refused = nullptr;
};

class ControlClient {
 public:
  static constexpr size_t kQueueMax = 256;
  static constexpr size_t kQueueBytesMax = size_t{16} << 20;
  static constexpr size_t kQueueBeforeReports = 8;

  // `identity`, `activator`, `dataplane` and `context` must outlive it.
  ControlClient(boost::asio::io_context& context, ControlClientOptions options,
                const NodeIdentity& identity, Activator& activator, Dataplane& dataplane,
                CommandHandler on_command);
  // Waits until gRPC has let go of the stream.
  ~ControlClient();
  ControlClient(const ControlClient&) = delete;
  ControlClient& operator=(const ControlClient&) = delete;

  void Start();
  void Stop();
  // Messages of the controller wait (one is held, the rest in HTTP/2's flow control) until it is
  // called with false.
  void SetPaused(bool paused);
  // Another process is this node from now on: the stream stays until the controller ends it in
  // favour of the other's, and is not opened again.
  void YieldToSuccessor();
  void NotifyHealthChange(const v1::EndpointHealth& health);
  bool connected() const;  // Welcomed by a controller.
  // The controller connected or being connected to.
  const std::string& address() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sluice::control
