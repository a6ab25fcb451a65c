// The admin address, with a thread of its own. It stays open while who answers changes.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "common/web/http_listener.h"

namespace sluice::serve {

class AdminPort {
 public:
  // An empty address: nobody is answered. While there is no handler the process is alive and not
  // ready.
  static absl::StatusOr<std::unique_ptr<AdminPort>> Open(const std::string& address);
  ~AdminPort();

  // From any thread. When it returns, the handler before is not called any more.
  void SetHandler(web::HttpHandler handler);
  void RemoveHandler() { SetHandler({}); }

 private:
  AdminPort() = default;
  web::HttpResponse Answer(const web::HttpRequest& request);

  std::mutex mutex_;  // Guards what follows, and is held while it is called.
  web::HttpHandler handler_;

  boost::asio::io_context context_{1};
  std::unique_ptr<web::HttpListener> listener_;
  std::thread thread_;
};

}  // namespace sluice::serve
