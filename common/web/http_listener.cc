#include "common/web/http_listener.h"

#include <fmt/format.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <exception>
#include <list>
#include <optional>

#include "common/base/address.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"

namespace sluice::web {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using tcp = asio::ip::tcp;
using RequestParser = bhttp::request_parser<bhttp::string_body>;
using Message = RequestParser::value_type;

// After a failure to accept, for lack of descriptors for example: trying at once would spin.
constexpr std::chrono::milliseconds kAcceptRetry{100};

std::string_view View(beast::string_view text) { return {text.data(), text.size()}; }

// Browsers put an Origin on every POST; of another site, or of a page that hides where it is from
// ("null"), it is a forgery.
bool IsForged(const Message& request) {
  if (request.method() == bhttp::verb::get || request.method() == bhttp::verb::head) return false;
  const auto origin = request.find(bhttp::field::origin);
  if (origin == request.end()) return false;
  return View(origin->value()) != fmt::format("http://{}", View(request[bhttp::field::host]));
}

HttpResponse Plain(unsigned status, std::string body) {
  HttpResponse answer;
  answer.status = status;
  answer.content_type = "text/plain; charset=utf-8";
  answer.body = std::move(body);
  return answer;
}

HttpResponse AnswerTo(const HttpHandler& handler, const Message& request) {
  if (IsForged(request)) return Plain(403, "refused: sent by a page of another site\n");
  const bool head = request.method() == bhttp::verb::head;
  try {
    return handler(
        {.method = head ? "GET" : View(request.method_string()), .target = View(request.target())});
  } catch (const std::exception& problem) {
    base::LogError("admin {}: {}", View(request.target()), problem.what());
    return Plain(500, "this failed; the log says why\n");
  }
}

HttpResponse AnswerToError(const beast::error_code& error) {
  if (error == bhttp::error::header_limit || error == bhttp::error::buffer_overflow) {
    return Plain(431, "the header is too large\n");
  }
  if (error == bhttp::error::body_limit) return Plain(413, "the body is too large\n");
  return Plain(400, fmt::format("not understood: {}\n", error.message()));
}

}  // namespace

class HttpListener::Impl : public std::enable_shared_from_this<HttpListener::Impl> {
 public:
  Impl(asio::io_context& context, HttpHandler handler)
      : acceptor_(context), retry_timer_(context), handler_(std::move(handler)) {}

  absl::StatusOr<std::string> Open(const std::string& address);
  absl::StatusOr<std::string> Adopt(base::UniqueFd socket);
  int native_handle() { return acceptor_.native_handle(); }
  void Accept();
  void Close();

 private:
  class Connection;

  void OnAccepted(const beast::error_code& error, tcp::socket socket);
  bool MakeRoom();

  tcp::acceptor acceptor_;
  asio::steady_timer retry_timer_;
  const HttpHandler handler_;
  std::list<Connection*> connections_;  // Each removes itself; the longest idle first.
  bool closed_ = false;
};

// Keeps itself alive by the operation it waits for.
class HttpListener::Impl::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<Impl> server, tcp::socket socket)
      : server_(std::move(server)), stream_(std::move(socket)) {
    place_ = server_->connections_.insert(server_->connections_.end(), this);
  }
  ~Connection() { server_->connections_.erase(place_); }

  void Read() {
    idle_ = true;
    auto& connections = server_->connections_;
    connections.splice(connections.end(), connections, place_);
    parser_.emplace();
    parser_->header_limit(kRequestBytesMax);
    parser_->body_limit(kRequestBytesMax);
    stream_.expires_after(kRequestTimeout);
    bhttp::async_read(stream_, buffer_, *parser_,
                      [self = shared_from_this()](const beast::error_code& error, size_t) {
                        self->OnRead(error);
                      });
  }

  bool idle() const { return idle_; }
  void Close() {
    idle_ = false;
    beast::error_code ignored;
    stream_.socket().close(ignored);
  }

 private:
  void OnRead(const beast::error_code& error) {
    idle_ = false;
    if (server_->closed_) return;
    if (!error) {
      const bool head = parser_->get().method() == bhttp::verb::head;
      Write(AnswerTo(server_->handler_, parser_->get()), head, parser_->get().keep_alive());
      return;
    }
    const bool is_http = error.category() == make_error_code(bhttp::error::bad_method).category();
    if (!is_http || error == bhttp::error::end_of_stream ||
        error == bhttp::error::partial_message) {
      return;
    }
    Write(AnswerToError(error), false, false);
  }

  void Write(HttpResponse answer, bool head, bool keep_alive) {
    response_ = {};
    response_.version(11);
    response_.result(answer.status);
    response_.set(bhttp::field::content_type, answer.content_type);
    response_.set(bhttp::field::cache_control, "no-store");
    response_.set("X-Content-Type-Options", "nosniff");
    if (!answer.allow.empty()) response_.set(bhttp::field::allow, answer.allow);
    response_.keep_alive(keep_alive);
    response_.content_length(answer.body.size());
    if (!head) response_.body() = std::move(answer.body);
    stream_.expires_after(kRequestTimeout);
    bhttp::async_write(stream_, response_,
                       [self = shared_from_this()](const beast::error_code& error, size_t) {
                         self->OnWritten(error);
                       });
  }

  void OnWritten(const beast::error_code& error) {
    if (error) return;
    response_ = {};  // It may have been large.
    if (parser_->get().keep_alive() && parser_->is_done() && !server_->closed_) return Read();
    beast::error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    Drain();
  }

  // Closing with unread bytes would reset the connection, and the answer with it.
  void Drain() {
    idle_ = true;
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(4096),
                            [self = shared_from_this()](const beast::error_code& error, size_t) {
                              if (!error && !self->server_->closed_) self->Drain();
                            });
  }

  const std::shared_ptr<Impl> server_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_{2 * kRequestBytesMax};
  std::optional<RequestParser> parser_;
  bhttp::response<bhttp::string_body> response_;
  std::list<Connection*>::iterator place_;
  bool idle_ = false;
};

absl::StatusOr<std::string> HttpListener::Impl::Open(const std::string& address) {
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
    const std::string text = fmt::format("cannot listen on {}: {}", address, error.message());
    if (error == asio::error::address_in_use) return absl::AlreadyExistsError(text);
    return absl::UnavailableError(text);
  }
  return base::FormatAddress(acceptor_.local_endpoint(error).data());
}

absl::StatusOr<std::string> HttpListener::Impl::Adopt(base::UniqueFd socket) {
  sockaddr_storage bound{};
  socklen_t bytes = sizeof bound;
  int listening = 0;
  socklen_t option_bytes = sizeof listening;
  if (getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound), &bytes) != 0 ||
      getsockopt(socket.get(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &option_bytes) != 0) {
    return base::ErrnoStatus(errno, "adopt a listening socket");
  }
  if (listening == 0 || (bound.ss_family != AF_INET && bound.ss_family != AF_INET6)) {
    return absl::InvalidArgumentError("what was handed over is not a listening TCP socket");
  }
  beast::error_code error;
  acceptor_.assign(bound.ss_family == AF_INET ? tcp::v4() : tcp::v6(), socket.get(), error);
  if (error) return absl::UnavailableError(error.message());
  [[maybe_unused]] const int owned = socket.Release();
  return base::FormatAddress(acceptor_.local_endpoint(error).data());
}

void HttpListener::Impl::Accept() {
  acceptor_.async_accept(
      [self = shared_from_this()](const beast::error_code& error, tcp::socket socket) {
        self->OnAccepted(error, std::move(socket));
      });
}

void HttpListener::Impl::OnAccepted(const beast::error_code& error, tcp::socket socket) {
  if (closed_) return;
  if (error) {
    retry_timer_.expires_after(kAcceptRetry);
    retry_timer_.async_wait([self = shared_from_this()](const beast::error_code& cancelled) {
      if (!cancelled && !self->closed_) self->Accept();
    });
    return;
  }
  if (MakeRoom()) std::make_shared<Connection>(shared_from_this(), std::move(socket))->Read();
  Accept();
}

// False when every connection is being answered.
bool HttpListener::Impl::MakeRoom() {
  if (connections_.size() < kConnectionsMax) return true;
  for (Connection* connection : connections_) {
    if (!connection->idle()) continue;
    connection->Close();  // It goes when its read has been told.
    return connections_.size() < 2 * kConnectionsMax;
  }
  return false;
}

void HttpListener::Impl::Close() {
  closed_ = true;
  beast::error_code ignored;
  // Not close(): another process may have the socket too, and then only release() takes it out of
  // this one's epoll set.
  if (acceptor_.is_open()) base::UniqueFd(acceptor_.release(ignored)).Reset();
  retry_timer_.cancel();
  for (Connection* connection : connections_) {
    if (connection->idle()) connection->Close();
  }
}

absl::StatusOr<std::unique_ptr<HttpListener>> HttpListener::Open(boost::asio::io_context& context,
                                                                 const std::string& address,
                                                                 HttpHandler handler) {
  auto impl = std::make_shared<Impl>(context, std::move(handler));
  ASSIGN_OR_RETURN(std::string bound, impl->Open(address));
  impl->Accept();
  return std::unique_ptr<HttpListener>(new HttpListener(std::move(bound), std::move(impl)));
}

absl::StatusOr<std::unique_ptr<HttpListener>> HttpListener::Adopt(asio::io_context& context,
                                                                  base::UniqueFd socket,
                                                                  HttpHandler handler) {
  auto impl = std::make_shared<Impl>(context, std::move(handler));
  ASSIGN_OR_RETURN(std::string bound, impl->Adopt(std::move(socket)));
  impl->Accept();
  return std::unique_ptr<HttpListener>(new HttpListener(std::move(bound), std::move(impl)));
}

int HttpListener::native_handle() const { return impl_->native_handle(); }

HttpListener::HttpListener(std::string bound_address, std::shared_ptr<Impl> impl)
    : bound_address_(std::move(bound_address)), impl_(std::move(impl)) {}

HttpListener::~HttpListener() { impl_->Close(); }

}  // namespace sluice::web
