// A small HTTP server on the control thread, for people and scrapers: Boost.Beast, one handler,
// tight limits.
//
// Control thread. A request has kRequestTimeout to arrive and its answer as long to leave; at most
// kConnectionsMax are open: one more takes the place of the one that has been idle longest, and is
// closed when none is. What browsers send on behalf of other sites (a POST with an Origin that is
// not this address) is refused.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/base/file.h"

namespace sluice::web {

struct HttpRequest {
  std::string_view method;
  std::string_view target;  // Path and query as received.
};

struct HttpResponse {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::string allow;  // For 405.
};

using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

// Listens until destroyed. Its connections end with it; an answer under way is finished.
class HttpListener {
 public:
  static constexpr int kConnectionsMax = 64;
  static constexpr size_t kRequestBytesMax = 16 * 1024;
  static constexpr std::chrono::seconds kRequestTimeout{30};

  // `address`: ip:port. Errors: kAlreadyExists when something else listens there, else
  // kUnavailable.
  static absl::StatusOr<std::unique_ptr<HttpListener>> Open(boost::asio::io_context& context,
                                                            const std::string& address,
                                                            HttpHandler handler);
  // As Open, with a socket that listens already, another process's for example.
  static absl::StatusOr<std::unique_ptr<HttpListener>> Adopt(boost::asio::io_context& context,
                                                             base::UniqueFd socket,
                                                             HttpHandler handler);
  ~HttpListener();
  HttpListener(const HttpListener&) = delete;
  HttpListener& operator=(const HttpListener&) = delete;

  // With the real port if 0 was asked for.
  const std::string& bound_address() const { return bound_address_; }
  // The listening socket; a copy of it may be handed to another process.
  int native_handle() const;

 private:
  class Impl;
  HttpListener(std::string bound_address, std::shared_ptr<Impl> impl);
  const std::string bound_address_;
  const std::shared_ptr<Impl> impl_;
};

}  // namespace sluice::web
