// A small HTTP server on the control thread, for people and scrapers: Boost.Beast, one handler, tight limits.
//
// Control thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sluice::web {

struct Request {
  std::string_view method;
  std::string_view target;  // Path and query as received.
};

struct Response {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::string allow;  // For 405.
};

using Handler = std::function<Response(const Request&)>;

// Listens until destroyed; connections end with it.
class HttpListener {
 public:
  static constexpr int kConnectionsMax = 64;
  static constexpr size_t kRequestBytesMax = 16 * 1024;

  // `address`: ip:port.
  static absl::StatusOr<std::unique_ptr<HttpListener>> Open(boost::asio::io_context& context,
                                                            const std::string& address,
                                                            Handler handler);
  ~HttpListener();
  const std::string& address() const { return address_; }

 private:
  class Impl;
  HttpListener(std::string address, std::shared_ptr<Impl> impl);
  std::string address_;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sluice::web
