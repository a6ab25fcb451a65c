// The admin address, with a thread of its own. It stays open while who answers changes.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "common/web/http_listener.h"

namespace sluice::serve {

class AdminPort {
 public:
  // An empty address: nobody is ever answered.
  explicit AdminPort(std::string address) : address_(std::move(address)) {}
  ~AdminPort();

  // Listens, if it does not yet. Not OK: somebody else listens there.
  absl::Status Serve(web::HttpHandler handler);
  // When it returns, the handler is not called any more. Until there is another one the process is
  // alive and not ready.
  void RemoveHandler();

 private:
  web::HttpResponse Answer(const web::HttpRequest& request);

  const std::string address_;
  std::mutex mutex_;  // Guards what follows, and is held while it is called.
  web::HttpHandler handler_;

  boost::asio::io_context context_{1};
  std::unique_ptr<web::HttpListener> listener_;
  std::thread thread_;
};

}  // namespace sluice::serve
