#include "dataplane/control/control_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "common/config/testing_certificates.h"
#include "common/snapshot/delta.h"
#include "common/web/testing_client.h"
#include "dataplane/control/fake_controller.h"
#include "dataplane/control/testing.h"

namespace sluice::control {
namespace {

using snapshot::Resources;
using testing::FakeController;
using testing::FakeDataplane;
using testing::SnapshotWith;
using testing::VersionOf;
using Case = v1::ProxyMessage::MessageCase;
using std::chrono::milliseconds;

class ControlClientTest : public ::testing::Test {
 protected:
  ControlClientTest() { identity_.node_id = "node-1"; }
  ~ControlClientTest() override { End(); }

  void End() {
    control_.On([this] { client_.reset(); });
  }

  ControlClientOptions OptionsFor(std::vector<std::string> controllers) {
    ControlClientOptions options;
    options.controllers = std::move(controllers);
    options.insecure = true;
    options.reconnect_min = milliseconds(1);
    options.reconnect_max = milliseconds(20);
    return options;
  }
  void Begin(ControlClientOptions options) {
    control_.On([&] {
      client_ = std::make_unique<ControlClient>(
          control_.context(), std::move(options), identity_, activator_, dataplane_,
          [](const v1::Command&) { return std::string(size_t{1} << 20, 'x'); });
      client_->Start();
    });
  }
  // A delta from `base` (all when null), to effective.
  void Deliver(FakeController& controller, const Resources* base, const Resources& target,
               uint64_t revision) {
    const v1::Version version = VersionOf(target, revision);
    const auto delta = snapshot::EncodeDelta(base, target, version);
    v1::ControllerMessage message;
    *message.mutable_offer() = delta.offer;
    controller.Send(message);
    for (const v1::Chunk& chunk : delta.chunks) {
      *message.mutable_chunk() = chunk;
      controller.Send(message);
    }
    message.mutable_prepare()->set_root(version.root());
    controller.Send(message);
    controller.WaitForA(Case::kPrepared);
    *message.mutable_commit()->mutable_version() = version;
    controller.Send(message);
    controller.WaitForA(Case::kEffective);
  }

  web::testing::ControlThread control_;
  FakeDataplane dataplane_;
  Activator activator_{dataplane_, nullptr, nullptr};
  NodeIdentity identity_;
  std::unique_ptr<ControlClient> client_;
};

TEST_F(ControlClientTest, TakesASnapshotAndTellsHowItGoes) {
  FakeController controller;
  ASSERT_TRUE(controller.Start());
  controller.set_report_interval_ms(1);
  Begin(OptionsFor({controller.address()}));
  EXPECT_EQ(controller.WaitForA(Case::kHello).hello().node_id(), "node-1");
  const Resources snapshot = testing::LargeSnapshot();
  Deliver(controller, nullptr, snapshot, 7);
  controller.WaitFor([](const FakeController::Messages& messages) {
    return std::any_of(messages.begin(), messages.end(), [](const v1::ProxyMessage& message) {
      return message.report().current().revision() == 7;
    });
  });
  EXPECT_TRUE(control_.On([this] { return client_->connected(); }));

  v1::EndpointHealth health;
  health.set_cluster("users");
  control_.On([&] { client_->NotifyHealthChange(health); });
  EXPECT_EQ(controller.WaitForA(Case::kHealthChange).health_change().endpoint().cluster(), "users");
}

TEST_F(ControlClientTest, ComesBackAfterTheControllerDiedAndNeedsNothingSent) {
  FakeController controller;
  ASSERT_TRUE(controller.Start());
  Begin(OptionsFor({controller.address()}));
  controller.WaitForA(Case::kHello);
  const Resources snapshot = SnapshotWith("one");
  Deliver(controller, nullptr, snapshot, 7);

  for (int round = 0; round < 3; ++round) {
    controller.Stop();
    controller.TakeMessages();
    ASSERT_TRUE(controller.Start(controller.port()));
    const v1::Hello hello = controller.WaitForA(Case::kHello).hello();
    EXPECT_EQ(hello.current().root(), snapshot::RootOf(snapshot));
    // The same root under a new number: no offer, no chunk.
    v1::ControllerMessage message;
    *message.mutable_commit()->mutable_version() = VersionOf(snapshot, 8);
    controller.Send(message);
    EXPECT_EQ(controller.WaitForA(Case::kEffective).effective().version().revision(), 8u);
  }
  EXPECT_EQ(control_.On([this] { return dataplane_.prepares; }), 1);
}

TEST_F(ControlClientTest, TriesTheNextControllerAfterAFailure) {
  FakeController dead, alive;
  ASSERT_TRUE(dead.Start());
  const std::string dead_address = dead.address();
  dead.Stop();
  ASSERT_TRUE(alive.Start());
  Begin(OptionsFor({dead_address, alive.address()}));
  alive.WaitForA(Case::kHello);
  EXPECT_EQ(control_.On([this] { return client_->address(); }), alive.address());
}

TEST_F(ControlClientTest, GivesUpOnAControllerThatNeverAnswers) {
  FakeController silent, alive;
  ASSERT_TRUE(silent.Start());
  ASSERT_TRUE(alive.Start());
  silent.set_welcomes(false);
  // This one does not even speak HTTP/2.
  const base::UniqueFd mute(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  auto address = base::ResolveNumeric("127.0.0.1:0").value();
  ASSERT_EQ(bind(mute.get(), address.get(), address.length), 0);
  ASSERT_EQ(listen(mute.get(), 8), 0);
  ASSERT_EQ(getsockname(mute.get(), address.get(), &address.length), 0);

  ControlClientOptions options =
      OptionsFor({silent.address(), address.ToString(), alive.address()});
  options.welcome_timeout = milliseconds(100);
  Begin(std::move(options));
  silent.WaitForA(Case::kHello);
  alive.WaitForA(Case::kReport);
}

TEST_F(ControlClientTest, LeavesAControllerWhoseTermIsOver) {
  FakeController first, former, next;
  for (FakeController* controller : {&first, &former, &next}) ASSERT_TRUE(controller->Start());
  first.set_term(5);
  former.set_term(4);
  next.set_term(6);
  Begin(OptionsFor({first.address(), former.address(), next.address()}));
  first.WaitForA(Case::kReport);
  first.Stop();
  former.WaitForA(Case::kHello);
  next.WaitForA(Case::kReport);
  for (const auto& message : former.TakeMessages()) EXPECT_FALSE(message.has_report());
}

TEST_F(ControlClientTest, TermsOfAnotherLogDoNotCompare) {
  FakeController first, anew;
  ASSERT_TRUE(first.Start());
  ASSERT_TRUE(anew.Start());
  first.set_term(5000);
  anew.set_term(7, "made anew");
  Begin(OptionsFor({first.address(), anew.address()}));
  first.WaitForA(Case::kReport);
  first.Stop();
  anew.WaitForA(Case::kReport);
}

TEST_F(ControlClientTest, GoesAwayWhenAskedToAndComesBack) {
  FakeController controller;
  ASSERT_TRUE(controller.Start());
  Begin(OptionsFor({controller.address()}));
  controller.WaitForA(Case::kReport);
  v1::ControllerMessage message;
  message.mutable_backoff()->set_retry_after_ms(1);
  controller.Send(message);
  controller.WaitForA(Case::kHello, 2);
}

TEST_F(ControlClientTest, MessagesOfANewerControllerAreIgnored) {
  FakeController controller;
  ASSERT_TRUE(controller.Start());
  Begin(OptionsFor({controller.address()}));
  controller.WaitForA(Case::kReport);
  v1::ControllerMessage unknown;
  ASSERT_TRUE(
      unknown.ParseFromString(std::string("\xfa\x07\x03"
                                          "abc",
                                          6)));
  controller.Send(unknown);
  Deliver(controller, nullptr, SnapshotWith("one"), 1);
  int hellos = 0;
  for (const auto& message : controller.TakeMessages()) hellos += message.has_hello() ? 1 : 0;
  EXPECT_EQ(hellos, 1) << "it stayed connected";
}

TEST_F(ControlClientTest, BeginsAfreshWhenTheControllerDoesNotRead) {
  FakeController controller;
  ASSERT_TRUE(controller.Start());
  controller.set_reads(false);
  Begin(OptionsFor({controller.address()}));
  controller.WaitForA(Case::kHello);
  controller.set_reads(true);  // From the next stream on.
  v1::ControllerMessage message;
  message.mutable_command()->mutable_dump();
  for (int i = 0; i < 64; ++i) controller.Send(message);  // A MiB each.
  controller.WaitForA(Case::kHello, 2);
  controller.WaitForA(Case::kReport);
}

TEST_F(ControlClientTest, EndsAtOnceInEveryState) {
  FakeController controller;
  ASSERT_TRUE(controller.Start());
  for (int round = 0; round < 20; ++round) {
    controller.TakeMessages();
    Begin(OptionsFor({controller.address()}));
    if (round % 2 == 0) controller.WaitForA(Case::kHello);
    End();
    EXPECT_EQ(client_, nullptr);
  }
}

TEST_F(ControlClientTest, SpeaksMutualTlsFromFiles) {
  const auto pair = config::testing_certificates::MakeSelfSigned();
  const testing::TemporaryFolder folder;
  ASSERT_TRUE(base::WriteFileAtomically(folder / "cert.pem", pair.chain_pem, 0600).ok());
  ASSERT_TRUE(base::WriteFileAtomically(folder / "key.pem", pair.key_pem, 0600).ok());

  ::grpc::SslServerCredentialsOptions tls(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  tls.pem_root_certs = pair.chain_pem;
  tls.pem_key_cert_pairs = {{pair.key_pem, pair.chain_pem}};
  FakeController controller;
  ASSERT_TRUE(controller.Start(0, ::grpc::SslServerCredentials(tls)));

  ControlClientOptions options = OptionsFor({controller.address()});
  options.insecure = false;
  options.tls_ca = folder / "cert.pem";
  options.tls_cert = folder / "missing.pem";
  options.tls_key = folder / "key.pem";
  Begin(options);  // Tries again until the file is there.
  ASSERT_TRUE(base::WriteFileAtomically(folder / "missing.pem", pair.chain_pem, 0600).ok());
  controller.WaitForA(Case::kReport);
}

}  // namespace
}  // namespace sluice::control
