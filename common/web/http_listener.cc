#include "common/web/http_listener.h"

#include <fmt/format.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <optional>

#include "common/base/address.h"
#include "common/base/status_macros.h"

namespace sluice::web {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using tcp = asio::ip::tcp;

constexpr std::chrono::seconds kIdleTimeout{30};

}  // namespace

class HttpListener::Impl : public std::enable_shared_from_this<HttpListener::Impl> {
 public:
  Impl(asio::io_context& context, Handler handler)
      : acceptor_(context), handler_(std::move(handler)) {}

  absl::Status Open(const std::string& address) {
    ASSIGN_OR_RETURN(const base::SocketAddress target, base::ResolveNumeric(address));
    tcp::endpoint endpoint;
    std::memcpy(endpoint.data(), target.get(), target.length);
    endpoint.resize(target.length);
    beast::error_code error;
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      return absl::UnavailableError(fmt::format("cannot listen on {}: {}", address, error.message()));
    }
    return absl::OkStatus();
  }

  void Accept() {
    acceptor_.async_accept([self = shared_from_this()](beast::error_code error, tcp::socket socket) {
      if (!self->acceptor_.is_open()) return;
      if (!error && self->connections_ < kConnectionsMax) {
        std::make_shared<Connection>(self, std::move(socket))->Read();
      }
      self->Accept();
    });
  }

  void Close() {
    beast::error_code ignored;
    acceptor_.close(ignored);
  }

 private:
  class Connection : public std::enable_shared_from_this<Connection> {
   public:
    Connection(std::shared_ptr<Impl> server, tcp::socket socket)
        : server_(std::move(server)), stream_(std::move(socket)) {
      ++server_->connections_;
    }
    ~Connection() { --server_->connections_; }

    void Read() {
      parser_.emplace();
      parser_->header_limit(kRequestBytesMax);
      parser_->body_limit(kRequestBytesMax);
      stream_.expires_after(kIdleTimeout);
      bhttp::async_read(stream_, buffer_, *parser_,
                        [self = shared_from_this()](beast::error_code error, size_t) {
                          if (!error) self->Answer();
                        });
    }

   private:
    void Answer() {
      const auto& request = parser_->get();
      const std::string_view method(request.method_string().data(), request.method_string().size());
      const std::string_view target(request.target().data(), request.target().size());
      const bool head = method == "HEAD";
      Response answer = server_->handler_({.method = head ? "GET" : method, .target = target});
      response_ = {};
      response_.version(11);
      response_.result(answer.status);
      response_.set(bhttp::field::content_type, answer.content_type);
      response_.set(bhttp::field::cache_control, "no-store");
      if (!answer.allow.empty()) response_.set(bhttp::field::allow, answer.allow);
      response_.keep_alive(request.keep_alive());
      response_.content_length(answer.body.size());
      if (!head) response_.body() = std::move(answer.body);
      stream_.expires_after(kIdleTimeout);
      bhttp::async_write(stream_, response_,
                         [self = shared_from_this()](beast::error_code error, size_t) {
                           if (error) return;
                           if (self->response_.keep_alive() && self->server_->acceptor_.is_open()) {
                             self->Read();
                           } else {
                             beast::error_code ignored;
                             self->stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
                           }
                         });
    }

    std::shared_ptr<Impl> server_;
    beast::tcp_stream stream_;
    beast::flat_buffer buffer_{2 * kRequestBytesMax};
    std::optional<bhttp::request_parser<bhttp::string_body>> parser_;
    bhttp::response<bhttp::string_body> response_;
  };

  tcp::acceptor acceptor_;
  const Handler handler_;
  int connections_ = 0;
};

absl::StatusOr<std::unique_ptr<HttpListener>> HttpListener::Open(boost::asio::io_context& context,
                                                                 const std::string& address,
                                                                 Handler handler) {
  auto impl = std::make_shared<Impl>(context, std::move(handler));
  RETURN_IF_ERROR(impl->Open(address));
  impl->Accept();
  return std::unique_ptr<HttpListener>(new HttpListener(address, std::move(impl)));
}

HttpListener::HttpListener(std::string address, std::shared_ptr<Impl> impl)
    : address_(std::move(address)), impl_(std::move(impl)) {}

HttpListener::~HttpListener() { impl_->Close(); }

}  // namespace sluice::web
