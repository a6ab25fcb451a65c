#include "dataplane/tls/stream.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/tls/test_certificates.h"
#include "dataplane/tls/test_handshake.h"

namespace sluice::tls {
namespace {

using testing::CertificateSpec;
using testing::TestCertificate;

// A server's stream in the reactor, and a client of OpenSSL's own.
class StreamTest : public ::testing::Test {
 protected:
  StreamTest() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    EXPECT_TRUE(stream_.socket().Open(reactor_, ends[0]));
    client_fd_ = ends[1];
    const v1::Certificate certificate =
        TestCertificate({.subject = "a", .names = {"DNS:a.example"}}, &ca_).Resource("a");
    auto server = ServerContext::Make({.service = "web", .certificates = {&certificate}});
    auto client = ClientContext::Make({.ca_pem = ca_.pem()});
    EXPECT_TRUE(server.ok() && client.ok());
    server_context_ = *server;
    client_context_ = *client;
    stream_.StartTls(server_context_->NewSession());
    client_ = client_context_->NewSession("a.example");
    SSL_set_fd(client_.get(), client_fd_);
  }
  ~StreamTest() override {
    if (client_fd_ >= 0) close(client_fd_);
  }
  void Turn() {
    reactor_.Post([this] { reactor_.StopOnce(); });
    reactor_.Run();
  }
  void Shake() {
    bool done = false;
    std::string error;
    int result = -EAGAIN;
    for (int round = 0; round < 20 && (!done || result != 1); ++round) {
      testing::Step(client_.get(), &done, &error);
      Turn();
      if (result != 1) result = stream_.Handshake();
    }
    EXPECT_TRUE(done && result == 1) << error;
  }

  const TestCertificate ca_{CertificateSpec{.subject = "ca", .ca = true}};
  io::Reactor reactor_;
  Stream stream_;
  std::shared_ptr<const ServerContext> server_context_;
  std::shared_ptr<const ClientContext> client_context_;
  SslPtr client_;
  int client_fd_ = -1;
};

TEST_F(StreamTest, WritingBehindACloseNotifyAndAResetIsAnError) {
  Shake();
  SSL_shutdown(client_.get());
  Turn();
  char bytes[100] = {};
  EXPECT_EQ(stream_.Read(bytes, sizeof bytes), 0);
  close(std::exchange(client_fd_, -1));
  Turn();
  // A 0 would be taken for something that can be tried again at once, for ever.
  EXPECT_LT(stream_.Write(bytes, sizeof bytes), 0);
  iovec part{.iov_base = bytes, .iov_len = sizeof bytes};
  EXPECT_LT(stream_.Writev(&part, 1), 0);
}

TEST_F(StreamTest, HowWritingFailedSaysNothingOfReading) {
  Shake();
  char bytes[100] = {};
  EXPECT_EQ(stream_.Read(bytes, sizeof bytes), -EAGAIN);
  close(std::exchange(client_fd_, -1));
  EXPECT_LT(stream_.Write(bytes, sizeof bytes), 0);
  io::Wait wait;
  stream_.WaitToRead(wait);
  EXPECT_FALSE(wait.await_ready()) << "the socket can be written to for ever, and brings nothing";
}

TEST_F(StreamTest, WritingThatIsHeldUpHoldsUpNoReading) {
  Shake();
  char bytes[16 * 1024] = {};
  while (stream_.Write(bytes, sizeof bytes) > 0) {
  }
  EXPECT_FALSE(stream_.socket().writable());
  ASSERT_EQ(SSL_write(client_.get(), "answer", 6), 6);
  Turn();
  io::Wait wait;
  stream_.WaitToRead(wait);
  EXPECT_TRUE(wait.await_ready());
  EXPECT_EQ(stream_.Read(bytes, sizeof bytes), 6);
}

}  // namespace
}  // namespace sluice::tls
