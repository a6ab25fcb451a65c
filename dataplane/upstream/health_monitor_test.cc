#include "dataplane/upstream/health_monitor.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/base/check.h"
#include "dataplane/tls/test_certificates.h"
#include "dataplane/upstream/health_probe.h"
#include "dataplane/upstream/health_threshold.h"

namespace sluice::upstream {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using tls::testing::CertificateSpec;
using tls::testing::TestCertificate;

// A listening socket of 127.0.0.1 on a free port.
struct Listener {
  Listener() : descriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof(where);
    SLUICE_CHECK(bind(descriptor, reinterpret_cast<sockaddr*>(&where), bytes) == 0);
    SLUICE_CHECK(listen(descriptor, 64) == 0);
    getsockname(descriptor, reinterpret_cast<sockaddr*>(&where), &bytes);
    address = "127.0.0.1:" + std::to_string(ntohs(where.sin_port));
  }
  ~Listener() { Close(); }
  void Close() {
    if (descriptor >= 0) close(descriptor);
    descriptor = -1;
  }
  int descriptor;
  std::string address;
};

// Of a server whose certificate, issued by `ca`, names users.internal.
std::shared_ptr<const tls::ServerContext> UsersContext(const TestCertificate& ca) {
  CertificateSpec spec{.subject = "users", .names = {"DNS:users.internal"}};
  const v1::Certificate certificate = TestCertificate(spec, &ca).Resource("users");
  tls::ServerContextOptions options{.service = "users", .certificates = {&certificate}};
  return *tls::ServerContext::Make(options);
}

// Answers every connection with the same bytes, in a thread of its own.
class Server {
 public:
  explicit Server(std::string answer, std::shared_ptr<const tls::ServerContext> tls = nullptr)
      : answer_(std::move(answer)), tls_(std::move(tls)), thread_([this] { Serve(); }) {}
  ~Server() {
    stopping_ = true;
    shutdown(listener_.descriptor, SHUT_RDWR);
    thread_.join();
  }
  const std::string& address() const { return listener_.address; }
  void Answer(std::string answer) {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
  }
  std::string last_request() {
    const std::lock_guard lock(mutex_);
    return last_request_;
  }
  std::string last_server_name() {
    const std::lock_guard lock(mutex_);
    return last_server_name_;
  }
  int connections() const { return connections_; }

 private:
  void Serve() {
    while (!stopping_) {
      const int client = accept(listener_.descriptor, nullptr, nullptr);
      if (client < 0) continue;
      ++connections_;
      if (tls_ != nullptr) {
        ServeTls(client);
      } else {
        ServeClear(client);
      }
      close(client);
    }
  }
  void ServeClear(int client) {
    std::string request;
    char bytes[1024];
    ssize_t got = 0;
    // A PROXY header may begin, but does not end, with an empty line.
    while (!request.ends_with("\r\n\r\n") && (got = read(client, bytes, sizeof(bytes))) > 0) {
      request.append(bytes, static_cast<size_t>(got));
    }
    const std::string answer = Exchange(request, "");
    if (got > 0) (void)send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
  }
  void ServeTls(int client) {
    const tls::SslPtr ssl = tls_->NewSession();
    SSL_set_fd(ssl.get(), client);
    std::string request;
    char bytes[1024];
    int got = 0;
    while (request.find("\r\n\r\n") == std::string::npos &&
           (got = SSL_read(ssl.get(), bytes, sizeof(bytes))) > 0) {
      request.append(bytes, static_cast<size_t>(got));
    }
    const char* name = SSL_get_servername(ssl.get(), TLSEXT_NAMETYPE_host_name);
    const std::string answer = Exchange(request, name != nullptr ? name : "");
    if (got > 0) {
      SSL_write(ssl.get(), answer.data(), static_cast<int>(answer.size()));
      SSL_shutdown(ssl.get());
    }
  }
  std::string Exchange(const std::string& request, const std::string& server_name) {
    const std::lock_guard lock(mutex_);
    last_request_ = request;
    last_server_name_ = server_name;
    return answer_;
  }

  Listener listener_;
  std::mutex mutex_;
  std::string answer_, last_request_, last_server_name_;
  const std::shared_ptr<const tls::ServerContext> tls_;
  std::atomic<int> connections_{0};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

constexpr char kOk[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
constexpr char kUnavailable[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";

class HealthTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { std::signal(SIGPIPE, SIG_IGN); }

  // Runs the context until the condition holds; a test that hangs fails.
  bool RunUntil(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    context_.restart();
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      context_.run_one_for(std::chrono::milliseconds(20));
      context_.restart();
    }
    return true;
  }

  boost::asio::io_context context_{1};
};

class HealthProbeTest : public HealthTest {
 protected:
  struct Result {
    bool passed = false;
    std::string reason;
  };
  Result Probe(ProbeTarget target) {
    std::optional<Result> result;
    const auto probe = HealthProbe::Start(context_, std::move(target),
                                          [&result](bool passed, const std::string& reason) {
                                            EXPECT_FALSE(result.has_value()) << "done twice";
                                            result = Result{passed, reason};
                                          });
    EXPECT_FALSE(result.has_value()) << "done within Start";
    EXPECT_TRUE(RunUntil([&result] { return result.has_value(); }));
    return result.value_or(Result{});
  }
  static ProbeTarget Http(const std::string& address) {
    return {.address = address,
            .timeout = std::chrono::seconds(20),
            .schema = ProbeSchema::kHttp1,
            .http_path = "/health",
            .http_host = "users.internal"};
  }
  Result ProbeAnswer(const std::string& answer) {
    Server server(answer);
    return Probe(Http(server.address()));
  }
};

TEST_F(HealthProbeTest, TcpPassesWhereSomebodyListens) {
  const Listener listener;
  const Result result = Probe({.address = listener.address});
  EXPECT_TRUE(result.passed);
  EXPECT_EQ(result.reason, "connected");
}

TEST_F(HealthProbeTest, AProxyHeaderComesFirstAndNamesNobody) {
  for (const auto& [version, header] : {
           std::pair{proxyproto::HeaderVersion::kV1, std::string("PROXY UNKNOWN\r\n")},
           std::pair{proxyproto::HeaderVersion::kV2,
                     std::string("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16)},
       }) {
    Server server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    ProbeTarget target = Http(server.address());
    target.proxy_header = version;
    EXPECT_TRUE(Probe(std::move(target)).passed);
    EXPECT_THAT(server.last_request(), testing::StartsWith(header + "GET /health HTTP/1.1\r\n"));
  }
}

TEST_F(HealthProbeTest, TcpFailsWhereNobodyListens) {
  Listener listener;
  listener.Close();
  const Result result = Probe({.address = listener.address});
  EXPECT_FALSE(result.passed);
  EXPECT_EQ(result.reason, "connect: Connection refused");
}

TEST_F(HealthProbeTest, TellsWhatIsNotAnAddress) {
  for (const char* address : {"", "localhost", "localhost:80", "127.0.0.1:", "127.0.0.1:0",
                              "127.0.0.1:65536", "127.0.0.1:8x", "[::1]", "[::1:80", "::1:80"}) {
    const Result result = Probe({.address = address});
    EXPECT_FALSE(result.passed);
    EXPECT_THAT(result.reason, HasSubstr("not an address")) << address;
  }
}

TEST_F(HealthProbeTest, HttpAsksForThePathOfTheHost) {
  Server server(kOk);
  const Result result = Probe(Http(server.address()));
  EXPECT_TRUE(result.passed);
  EXPECT_EQ(result.reason, "status 200");
  EXPECT_THAT(server.last_request(), HasSubstr("GET /health HTTP/1.1\r\nHost: users.internal\r\n"));
}

TEST_F(HealthProbeTest, HttpJudgesTheStatus) {
  EXPECT_TRUE(ProbeAnswer("HTTP/1.1 204 No Content\r\n\r\n").passed);
  EXPECT_TRUE(ProbeAnswer("HTTP/1.0 302 Found\r\nLocation: /\r\n\r\n").passed);
  EXPECT_FALSE(ProbeAnswer("HTTP/1.1 404 Not Found\r\n\r\n").passed);
  EXPECT_EQ(ProbeAnswer(kUnavailable).reason, "status 503");

  Server server(kUnavailable);
  ProbeTarget target = Http(server.address());
  target.expected_statuses = {200, 503};
  EXPECT_TRUE(Probe(target).passed);
  target.expected_statuses = {200};
  EXPECT_FALSE(Probe(target).passed);
}

TEST_F(HealthProbeTest, HttpRefusesWhatIsNoAnswer) {
  EXPECT_THAT(ProbeAnswer("").reason, AnyOf("http: closed without an answer", HasSubstr("read: ")));
  EXPECT_THAT(ProbeAnswer("HTTP/1.1 200").reason,
              AnyOf("http: closed without an answer", HasSubstr("read: ")));
  EXPECT_THAT(ProbeAnswer("SSH-2.0-OpenSSH_9.2\r\n").reason, HasSubstr("http: "));
  EXPECT_THAT(ProbeAnswer("HTTP/1.1 200 OK\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n").reason,
              HasSubstr("http: "));
}

TEST_F(HealthProbeTest, HttpNeverSendsControlCharacters) {
  Server server(kOk);
  ProbeTarget target = Http(server.address());
  target.http_path = "/health\r\nX-Evil: 1";
  EXPECT_THAT(Probe(target).reason, HasSubstr("control characters"));
  EXPECT_EQ(server.connections(), 0);
}

TEST_F(HealthProbeTest, SilenceEndsWithTheTimeout) {
  const Listener listener;  // Accepts in the kernel, never answers.
  ProbeTarget target = Http(listener.address);
  target.timeout = std::chrono::milliseconds(50);
  const Result result = Probe(target);
  EXPECT_FALSE(result.passed);
  EXPECT_EQ(result.reason, "timeout after 50ms");
}

TEST_F(HealthProbeTest, NothingIsCalledAfterItIsDestroyed) {
  const Listener listener;
  bool called = false;
  auto probe = HealthProbe::Start(context_, {.address = listener.address},
                                  [&called](bool, const std::string&) { called = true; });
  probe.reset();
  context_.run();  // Ends: nothing is left to wait for.
  EXPECT_FALSE(called);
}

TEST_F(HealthProbeTest, HttpOverTlsVerifiesTheName) {
  const TestCertificate ca{CertificateSpec{.subject = "ca", .ca = true}};
  Server server(kOk, UsersContext(ca));
  tls::ClientOptions client_options{.ca_pem = ca.pem()};

  ProbeTarget target = Http(server.address());
  target.use_tls = true;
  target.server_name = "users.internal";
  EXPECT_THAT(Probe(target).reason, HasSubstr("tls: "));  // No context.
  target.tls = *tls::ClientContext::Make(client_options);
  const Result good = Probe(target);
  EXPECT_TRUE(good.passed) << good.reason;
  EXPECT_EQ(good.reason, "status 200");
  EXPECT_EQ(server.last_server_name(), "users.internal");

  target.server_name = "other.internal";
  EXPECT_EQ(Probe(target).reason, "tls: certificate verify failed: hostname mismatch");
  target.server_name = "";
  EXPECT_THAT(Probe(target).reason, HasSubstr("cannot be verified"));
}

TEST_F(HealthProbeTest, TlsWithSomethingElseFails) {
  Server server("HTTP/1.1 400 Bad Request\r\n\r\n\r\n\r\n");
  tls::ClientOptions options{.skip_verify = true};
  ProbeTarget target = Http(server.address());
  target.use_tls = true;
  target.tls = *tls::ClientContext::Make(options);
  target.server_name = "users.internal";
  target.timeout = std::chrono::milliseconds(300);  // It waits for the rest of our "request".
  EXPECT_FALSE(Probe(target).passed);
}

class HealthMonitorTest : public HealthTest {
 protected:
  HealthMonitorTest() {
    cluster_.set_name("users");
    auto* check = cluster_.mutable_health_check();
    check->set_schema(v1::HealthCheck::HTTP);
    check->set_http_path("/health");
    check->set_interval_ms(20);
    check->set_timeout_ms(10'000);
    check->set_healthy_after(2);
    check->set_unhealthy_after(2);
  }
  static v1::Endpoint At(const std::string& address) {
    v1::Endpoint endpoint;
    endpoint.set_address(address);
    endpoint.set_weight(1);
    return endpoint;
  }
  HealthMonitor::OnChange Recorder() {
    return [this](const std::string& cluster, const std::string& address, bool healthy,
                  const std::string& reason) {
      changes_.push_back(cluster + " " + address + (healthy ? " up: " : " down: ") + reason);
    };
  }

  v1::Cluster cluster_;
  std::vector<std::string> changes_;
};

TEST_F(HealthMonitorTest, FollowsAnEndpointDownAndUpAndTellsOfChangesOnly) {
  Server server(kOk);
  HealthMonitor monitor(context_, Recorder());
  const auto health = monitor.Watch(cluster_, At(server.address()), nullptr);
  EXPECT_TRUE(health->healthy());
  EXPECT_EQ(health->status().reason, "not checked yet");
  EXPECT_TRUE(RunUntil([&] { return server.connections() >= 3; }));
  EXPECT_TRUE(changes_.empty());

  server.Answer(kUnavailable);
  EXPECT_TRUE(RunUntil([&] { return !health->healthy(); }));
  EXPECT_EQ(health->status().reason, "status 503");
  server.Answer(kOk);
  EXPECT_TRUE(RunUntil([&] { return health->healthy(); }));
  EXPECT_THAT(changes_, ElementsAre("users " + server.address() + " down: status 503",
                                    "users " + server.address() + " up: status 200"));
}

TEST_F(HealthMonitorTest, ADeadEndpointIsFoundByTcpChecks) {
  cluster_.mutable_health_check()->set_schema(v1::HealthCheck::TCP);
  auto listener = std::make_unique<Listener>();
  const std::string address = listener->address;
  HealthMonitor monitor(context_, Recorder());
  const auto health = monitor.Watch(cluster_, At(address), nullptr);
  EXPECT_TRUE(RunUntil([&] { return health->status().reason == "connected"; }));
  listener.reset();
  EXPECT_TRUE(RunUntil([&] { return !health->healthy(); }));
  EXPECT_THAT(changes_, ElementsAre("users " + address + " down: connect: Connection refused"));
}

TEST_F(HealthMonitorTest, InitiallyUnhealthyEndpointsWaitForTheFirstGoodAnswer) {
  cluster_.mutable_health_check()->set_initially_unhealthy(true);
  cluster_.mutable_health_check()->set_healthy_after(100);
  Server server(kOk);
  HealthMonitor monitor(context_, Recorder());
  const auto health = monitor.Watch(cluster_, At(server.address()), nullptr);
  EXPECT_FALSE(health->healthy());
  EXPECT_TRUE(RunUntil([&] { return health->healthy(); }));
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(HealthMonitorTest, WithoutACheckEveryEndpointIsHealthyAndNotProbed) {
  cluster_.clear_health_check();
  HealthMonitor monitor(context_, Recorder());
  const auto health = monitor.Watch(cluster_, At("127.0.0.1:1"), nullptr);
  EXPECT_EQ(context_.run(), 0u);  // Nothing to do.
  EXPECT_TRUE(health->healthy());
  EXPECT_EQ(health->status().reason, "no check");
}

TEST_F(HealthMonitorTest, SharesHealthAsLongAsCheckAndEndpointAreTheSame) {
  HealthMonitor monitor(context_, Recorder());
  const auto health = monitor.Watch(cluster_, At("127.0.0.1:1"), nullptr);
  v1::Endpoint heavier = At("127.0.0.1:1");
  heavier.set_weight(7);
  v1::Cluster other_strategy = cluster_;
  other_strategy.set_lb_strategy(v1::LB_STRATEGY_RANDOM);
  EXPECT_EQ(monitor.Watch(other_strategy, heavier, nullptr), health);

  v1::Cluster other_check = cluster_;
  other_check.mutable_health_check()->set_http_path("/ready");
  v1::Cluster other_name = cluster_;
  other_name.set_name("orders");
  v1::Cluster no_check = cluster_;
  no_check.clear_health_check();
  v1::Endpoint other_sni = At("127.0.0.1:1");
  other_sni.set_sni("users.internal");
  EXPECT_NE(monitor.Watch(other_check, At("127.0.0.1:1"), nullptr), health);
  EXPECT_NE(monitor.Watch(other_name, At("127.0.0.1:1"), nullptr), health);
  EXPECT_NE(monitor.Watch(no_check, At("127.0.0.1:1"), nullptr), health);
  EXPECT_NE(monitor.Watch(cluster_, other_sni, nullptr), health);
  EXPECT_NE(monitor.Watch(cluster_, At("127.0.0.1:2"), nullptr), health);
  EXPECT_EQ(monitor.Snapshot().size(), 6u);
}

TEST_F(HealthMonitorTest, CollectStopsProbesNobodyIsInterestedIn) {
  Server kept(kOk), dropped(kOk);
  HealthMonitor monitor(context_, Recorder());
  const auto health = monitor.Watch(cluster_, At(kept.address()), nullptr);
  monitor.Watch(cluster_, At(dropped.address()), nullptr);
  EXPECT_TRUE(RunUntil([&] { return dropped.connections() > 0; }));
  EXPECT_EQ(monitor.Snapshot().size(), 2u);

  monitor.Collect();
  ASSERT_EQ(monitor.Snapshot().size(), 1u);
  EXPECT_EQ(monitor.Snapshot()[0].address, kept.address());
  // A probe that was under way may still be counted by the server's thread; then there is an end.
  const int kept_before = kept.connections();
  EXPECT_TRUE(RunUntil([&] { return kept.connections() >= kept_before + 3; }));
  const int dropped_before = dropped.connections();
  EXPECT_TRUE(RunUntil([&] { return kept.connections() >= kept_before + 9; }));
  EXPECT_EQ(dropped.connections(), dropped_before);
}

TEST_F(HealthMonitorTest, ThoseCollectedAndWatchedAgainBeginAnew) {
  HealthMonitor monitor(context_, Recorder());
  Listener listener;
  listener.Close();
  {
    const auto health = monitor.Watch(cluster_, At(listener.address), nullptr);
    EXPECT_TRUE(RunUntil([&] { return !health->healthy(); }));
  }
  EXPECT_FALSE(monitor.Watch(cluster_, At(listener.address), nullptr)->healthy());
  monitor.Collect();
  EXPECT_TRUE(monitor.Watch(cluster_, At(listener.address), nullptr)->healthy());
}

TEST_F(HealthMonitorTest, DestructionStopsEverything) {
  const Listener silent;
  {
    HealthMonitor monitor(context_, Recorder());
    const auto health = monitor.Watch(cluster_, At(silent.address), nullptr);
    pollfd incoming{.fd = silent.descriptor, .events = POLLIN, .revents = 0};
    EXPECT_TRUE(RunUntil([&] { return poll(&incoming, 1, 0) == 1; }));
  }
  context_.restart();
  context_.run();  // Ends, since the probe under way and its timers are gone.
  EXPECT_TRUE(changes_.empty());
}

TEST_F(HealthMonitorTest, HttpsChecksUseTheEndpointsServerName) {
  const TestCertificate ca{CertificateSpec{.subject = "ca", .ca = true}};
  Server server(kOk, UsersContext(ca));
  tls::ClientOptions client_options{.ca_pem = ca.pem()};

  cluster_.mutable_health_check()->set_initially_unhealthy(true);
  v1::Endpoint endpoint = At(server.address());
  endpoint.set_sni("users.internal");
  HealthMonitor monitor(context_, Recorder());
  const auto health = monitor.Watch(cluster_, endpoint, *tls::ClientContext::Make(client_options));
  EXPECT_TRUE(RunUntil([&] { return health->healthy(); })) << health->status().reason;
  EXPECT_EQ(server.last_server_name(), "users.internal");
}

TEST(HealthThresholdTest, NeedsResultsInARow) {
  v1::HealthCheck check;
  check.set_healthy_after(2);
  check.set_unhealthy_after(3);
  HealthThreshold threshold(check);
  for (const bool passed : {false, false, true, false, false}) {
    EXPECT_TRUE(threshold.Observe(passed));
  }
  EXPECT_FALSE(threshold.Observe(false));
  EXPECT_FALSE(threshold.Observe(true));
  EXPECT_FALSE(threshold.Observe(false));
  EXPECT_FALSE(threshold.Observe(true));
  EXPECT_TRUE(threshold.Observe(true));
}

TEST(HealthThresholdTest, TheFirstGoodAnswerIsEnoughOnlyOnce) {
  v1::HealthCheck check;
  check.set_healthy_after(2);
  check.set_initially_unhealthy(true);
  HealthThreshold threshold(check);
  EXPECT_FALSE(threshold.healthy());
  EXPECT_FALSE(threshold.Observe(false));
  EXPECT_TRUE(threshold.Observe(true));
  EXPECT_FALSE(threshold.Observe(false));  // unhealthy_after 0 counts as 1.
  EXPECT_FALSE(threshold.Observe(true));
  EXPECT_TRUE(threshold.Observe(true));
}

}  // namespace
}  // namespace sluice::upstream
