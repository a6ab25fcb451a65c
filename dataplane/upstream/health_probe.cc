#include "dataplane/upstream/health_probe.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "common/base/address.h"
#include "dataplane/proxyproto/header_writer.h"
#include "dataplane/upstream/h2_probe.h"
#include "sluice/v1/grpc_health.pb.h"

namespace sluice::upstream {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;

// An answer's head may not be larger; its body is not read.
constexpr uint32_t kHeadBytesMax = 16 * 1024;

std::optional<asio::ip::tcp::endpoint> ParseAddress(const std::string& text) {
  const auto address = base::ResolveNumeric(text);
  if (!address.ok() || address->port() == 0) return std::nullopt;
  asio::ip::tcp::endpoint endpoint;
  std::memcpy(endpoint.data(), address->get(), address->length);
  endpoint.resize(address->length);
  return endpoint;
}

bool HasControlCharacters(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<uint8_t>(c) <= ' ' || c == 0x7f; });
}

std::string InSeconds(std::chrono::milliseconds time) {
  return time.count() % 1000 == 0 ? fmt::format("{}s", time.count() / 1000)
                                  : fmt::format("{}ms", time.count());
}

// Connect, then the PROXY header, then TLS, then request, then the head of the answer; each step's
// handler keeps the run alive and begins the next. TLS goes through memory, so that one reading and
// writing loop serves both.
class Run : public std::enable_shared_from_this<Run> {
 public:
  Run(asio::io_context& context, ProbeTarget target, HealthProbe::Done done)
      : context_(context),
        socket_(context),
        timer_(context),
        target_(std::move(target)),
        done_(std::move(done)) {}

  void Start() {
    timer_.expires_after(target_.timeout);
    timer_.async_wait([self = shared_from_this()](error_code error) {
      if (!error) self->Finish(false, "timeout after " + InSeconds(self->target_.timeout));
    });
    const auto endpoint = ParseAddress(target_.address);
    if (!endpoint.has_value()) return FinishLater("connect: not an address: " + target_.address);
    if (HasControlCharacters(target_.http_path) || HasControlCharacters(target_.http_host)) {
      return FinishLater("http: path or host contain control characters");
    }
    socket_.async_connect(*endpoint, [self = shared_from_this()](error_code error) {
      if (self->over()) return;
      if (error) return self->Finish(false, "connect: " + error.message());
      self->SendProxyHeader();
    });
  }

  void Cancel() {
    done_ = nullptr;
    Stop();
  }

 private:
  bool over() const { return done_ == nullptr; }

  void Stop() {
    timer_.cancel();
    error_code ignored;
    socket_.close(ignored);
  }

  void Finish(bool passed, const std::string& reason) {
    if (over()) return;
    const HealthProbe::Done done = std::exchange(done_, nullptr);
    Stop();
    done(passed, reason);
  }

  void FinishLater(std::string reason) {
    asio::post(context_, [self = shared_from_this(), reason = std::move(reason)] {
      self->Finish(false, reason);
    });
  }

  void SendProxyHeader() {
    if (target_.proxy_header == proxyproto::HeaderVersion::kNone) return Ask();
    char header[proxyproto::kWrittenBytesMax];
    out_.assign(header, proxyproto::WriteLocalHeader(target_.proxy_header, header));
    asio::async_write(socket_, asio::buffer(out_),
                      [self = shared_from_this()](error_code error, size_t) {
                        if (self->over()) return;
                        if (error) return self->Finish(false, "write: " + error.message());
                        self->Ask();
                      });
  }

  void Ask() {
    if (target_.schema == ProbeSchema::kTcp) return Finish(true, "connected");
    const bool http1 = target_.schema == ProbeSchema::kHttp1;
    http1 ? AskByHttp1() : AskByHttp2();
    if (!target_.use_tls) return Write(std::exchange(request_, {}));
    if (target_.tls != nullptr)
      ssl_ = target_.tls->NewSession(target_.server_name,
                                     http1 ? tls::Alpn::kHttp1 : tls::Alpn::kConfigured);
    if (ssl_ == nullptr) {
      return Finish(false, fmt::format("tls: \"{}\" cannot be verified", target_.server_name));
    }
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    Advance();
  }

  void AskByHttp1() {
    parser_.header_limit(kHeadBytesMax);
    parser_.skip(true);  // The head is all we want.
    request_ = fmt::format(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: sluice-health-check\r\nAccept: */*\r\n"
        "Connection: close\r\n\r\n",
        target_.http_path, target_.http_host);
  }

  void AskByHttp2() {
    H2Probe::Question question{
        .encrypted = target_.use_tls, .authority = target_.http_host, .path = target_.http_path};
    if (target_.schema == ProbeSchema::kGrpc) {
      v1::GrpcHealthQuestion message;
      message.set_service(target_.grpc_service);
      question.grpc = true;
      question.path = "/grpc.health.v1.Health/Check";
      question.message = message.SerializeAsString();
    }
    h2_.emplace(std::move(question));
    request_ = h2_->TakeOutput();
  }

  // TLS as far as the bytes at hand allow; then writes what came out, or reads more.
  void Advance() {
    ERR_clear_error();
    if (!Encrypt()) return;
    if (request_.empty() && (!Decrypt() || !Encrypt())) return;
    char* data = nullptr;
    const long bytes = BIO_get_mem_data(SSL_get_wbio(ssl_.get()), &data);
    if (bytes == 0) return Read();
    std::string out(data, static_cast<size_t>(bytes));
    (void)BIO_reset(SSL_get_wbio(ssl_.get()));
    Write(std::move(out));
  }

  // What is still to be sent, as soon as there are keys. False when the probe is over.
  bool Encrypt() {
    if (request_.empty()) return true;
    const int outcome = SSL_write(ssl_.get(), request_.data(), static_cast<int>(request_.size()));
    if (outcome > 0) request_.clear();
    if (outcome > 0 || SSL_get_error(ssl_.get(), outcome) == SSL_ERROR_WANT_READ) return true;
    Finish(false, "tls: " + tls::DescribeError(ssl_.get()));
    return false;
  }

  // False when the probe is over.
  bool Decrypt() {
    for (;;) {
      const int bytes = SSL_read(ssl_.get(), in_.data(), static_cast<int>(in_.size()));
      if (bytes > 0) {
        if (!Parse({in_.data(), static_cast<size_t>(bytes)})) return false;
        continue;
      }
      const int error = SSL_get_error(ssl_.get(), bytes);
      if (error == SSL_ERROR_WANT_READ) return true;
      Finish(false, error == SSL_ERROR_ZERO_RETURN ? "http: closed without an answer"
                                                   : "tls: " + tls::DescribeError(ssl_.get()));
      return false;
    }
  }

  void Write(std::string bytes) {
    out_ = std::move(bytes);
    asio::async_write(socket_, asio::buffer(out_),
                      [self = shared_from_this()](error_code error, size_t) {
                        if (self->over()) return;
                        if (error) return self->Finish(false, "write: " + error.message());
                        self->Read();
                      });
  }

  void Read() {
    socket_.async_read_some(asio::buffer(in_),
                            [self = shared_from_this()](error_code error, size_t bytes) {
                              if (!self->over()) self->OnRead(error, bytes);
                            });
  }

  void OnRead(error_code error, size_t bytes) {
    if (error == asio::error::eof) {
      const bool shaking = ssl_ != nullptr && !SSL_is_init_finished(ssl_.get());
      return Finish(
          false, shaking ? "tls: connection closed by the peer" : "http: closed without an answer");
    }
    if (error) return Finish(false, "read: " + error.message());
    if (ssl_ != nullptr) {
      BIO_write(SSL_get_rbio(ssl_.get()), in_.data(), static_cast<int>(bytes));
      return Advance();
    }
    if (!Parse({in_.data(), bytes})) return;
    if (request_.empty()) return Read();
    Write(std::exchange(request_, {}));
  }

  // False when the probe is over.
  bool Parse(std::string_view bytes) {
    return h2_.has_value() ? ParseHttp2(bytes) : ParseHttp1(bytes);
  }

  bool ParseHttp2(std::string_view bytes) {
    switch (h2_->Feed(bytes)) {
      case H2Probe::State::kWaiting:
        request_ += h2_->TakeOutput();
        return true;
      case H2Probe::State::kFailed:
        Finish(false, "http: no answer in HTTP/2");
        return false;
      case H2Probe::State::kAnswered:
        break;
    }
    target_.schema == ProbeSchema::kGrpc ? JudgeGrpc() : JudgeStatus(h2_->status());
    return false;
  }

  void JudgeGrpc() {
    v1::GrpcHealthAnswer answer;
    if (h2_->status() != 200) return Finish(false, fmt::format("grpc: status {}", h2_->status()));
    if (h2_->grpc_status() != 0) {
      return Finish(false,
                    fmt::format("grpc: code {} {}", h2_->grpc_status(), h2_->grpc_message()));
    }
    const std::string_view message = h2_->message();
    if (!answer.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
      return Finish(false, "grpc: an answer of another kind");
    }
    const bool passed = answer.status() == v1::GrpcHealthAnswer::SERVING;
    Finish(passed, "grpc: " + v1::GrpcHealthAnswer::Status_Name(answer.status()));
  }

  void JudgeStatus(unsigned status) {
    const auto& expected = target_.expected_statuses;
    const bool passed = expected.empty()
                            ? status >= 200 && status < 400
                            : std::find(expected.begin(), expected.end(), status) != expected.end();
    Finish(passed, fmt::format("status {}", status));
  }

  bool ParseHttp1(std::string_view bytes) {
    head_ += bytes;
    error_code error;
    const size_t used = parser_.put(asio::buffer(head_), error);
    head_.erase(0, used);
    if (error && error != beast::http::error::need_more) {
      Finish(false, "http: " + error.message());
      return false;
    }
    if (!parser_.is_header_done()) return true;
    JudgeStatus(parser_.get().result_int());
    return false;
  }

  asio::io_context& context_;
  asio::ip::tcp::socket socket_;
  asio::steady_timer timer_;
  const ProbeTarget target_;
  HealthProbe::Done done_;  // Null when the probe is over.
  tls::SslPtr ssl_;         // Null without TLS.
  std::string request_;     // What is still to be encrypted, or written.
  std::string out_;
  std::array<char, 4096> in_;
  std::string head_;  // Received, not yet taken by the parser.
  beast::http::response_parser<beast::http::empty_body> parser_;
  std::optional<H2Probe> h2_;  // Where that is spoken instead.
};

class StartedProbe : public HealthProbe {
 public:
  explicit StartedProbe(std::shared_ptr<Run> run) : run_(std::move(run)) {}
  ~StartedProbe() override { run_->Cancel(); }

 private:
  const std::shared_ptr<Run> run_;
};

}  // namespace

std::unique_ptr<HealthProbe> HealthProbe::Start(asio::io_context& context, ProbeTarget target,
                                                Done done) {
  auto run = std::make_shared<Run>(context, std::move(target), std::move(done));
  run->Start();
  return std::make_unique<StartedProbe>(std::move(run));
}

}  // namespace sluice::upstream
