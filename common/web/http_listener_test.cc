#include "common/web/http_listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "common/web/testing_client.h"

namespace sluice::web {
namespace {

using testing::Answer;
using testing::Client;
using testing::Fetch;
using ::testing::HasSubstr;
using testing::ParseAnswer;

class HttpListenerTest : public ::testing::Test {
 protected:
  HttpListenerTest() {
    control_.On([this] {
      auto opened =
          HttpListener::Open(control_.context(), "127.0.0.1:0",
                             [this](const HttpRequest& request) { return Handle(request); });
      ASSERT_TRUE(opened.ok()) << opened.status();
      listener_ = *std::move(opened);
      address_ = listener_->bound_address();
    });
  }
  ~HttpListenerTest() override {
    control_.On([this] { listener_.reset(); });
  }

  HttpResponse Handle(const HttpRequest& request) {
    if (request.target == "/throw") return {.body = std::string().substr(1)};  // Throws.
    HttpResponse answer;
    answer.content_type = "text/plain";
    answer.body = request.target == "/large"
                      ? std::string(8 << 20, 'x')
                      : std::string(request.method) + " " + std::string(request.target);
    return answer;
  }

  testing::ControlThread control_;
  std::unique_ptr<HttpListener> listener_;
  std::string address_;
};

TEST_F(HttpListenerTest, AnswersWithTheHandlersWords) {
  const Answer answer = Fetch(address_, "/x?y=z");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "GET /x?y=z");
  EXPECT_THAT(answer.head, HasSubstr("Content-Type: text/plain\r\n"));
  EXPECT_THAT(answer.head, HasSubstr("Cache-Control: no-store\r\n"));
  EXPECT_THAT(answer.head, HasSubstr("Content-Length: 10\r\n"));
}

TEST_F(HttpListenerTest, HeadHasLengthAndNoBody) {
  const Answer answer = Fetch(address_, "/x", "HEAD");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "");
  EXPECT_THAT(answer.head, HasSubstr("Content-Length: 6\r\n"));
}

TEST_F(HttpListenerTest, ServesSeveralRequestsOnAConnection) {
  Client client(address_);
  client.Send(
      "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: "
      "2\r\n\r\nhi");
  EXPECT_THAT(client.ReadUntil("POST /2"), HasSubstr("GET /1HTTP/1.1 200 OK"));
  client.Send("GET /3 HTTP/1.0\r\n\r\n");
  EXPECT_THAT(client.ReadAll(), HasSubstr("GET /3"));
}

TEST_F(HttpListenerTest, LargeAnswerArrivesWhole) {
  EXPECT_EQ(Fetch(address_, "/large").body.size(), size_t{8} << 20);
}

TEST_F(HttpListenerTest, RequestsBeyondTheLimitsAreRefusedWithTheFittingStatus) {
  EXPECT_EQ(Fetch(address_, "/x", "GET", "X: " + std::string(20'000, 'y') + "\r\n").status, 431);
  EXPECT_EQ(Fetch(address_, "/x", "POST", "Content-Length: 99999999\r\n").status, 413);
  EXPECT_EQ(Fetch(address_, "/" + std::string(20'000, 'p')).status, 431);
  EXPECT_EQ(Fetch(address_, "/x", "GET", "no colon\r\n").status, 400);
}

TEST_F(HttpListenerTest, RefusesToBeUsedByOtherSitesPages) {
  EXPECT_EQ(Fetch(address_, "/x", "POST", "Origin: http://evil.test\r\n").status, 403);
  EXPECT_EQ(Fetch(address_, "/x", "POST", "Origin: null\r\n").status, 403);
  EXPECT_EQ(Fetch(address_, "/x", "POST", "Origin: http://" + address_ + "\r\n").status, 200);
  EXPECT_EQ(Fetch(address_, "/x", "POST").status, 200);
}

TEST_F(HttpListenerTest, ThrowingHandlerIsA500AndNothingMore) {
  EXPECT_EQ(Fetch(address_, "/throw").status, 500);
  EXPECT_EQ(Fetch(address_, "/x").status, 200);
}

TEST_F(HttpListenerTest, HostileBytesEndOnlyTheirConnection) {
  for (const std::string& bytes :
       {std::string(1000, '\0'), std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11),
        std::string("GET\r\n\r\n"), std::string(100'000, '\n'),
        std::string("GET / HTTP/9.9\r\n\r\n"),
        std::string("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n")}) {
    Client client(address_);
    client.Send(bytes);
    const Answer answer = ParseAnswer(client.ReadAll());
    EXPECT_GE(answer.status, 400) << bytes.substr(0, 20);
    EXPECT_LT(answer.status, 500);
  }
  EXPECT_EQ(Fetch(address_, "/x").status, 200);
}

TEST_F(HttpListenerTest, IdleConnectionsMakeRoomForNewOnes) {
  std::vector<std::unique_ptr<Client>> idle;
  for (int i = 0; i < HttpListener::kConnectionsMax; ++i) {
    idle.push_back(std::make_unique<Client>(address_));
    idle.back()->Send("GET /idle HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_THAT(idle.back()->ReadUntil("GET /idle"), HasSubstr("200"));
  }
  EXPECT_EQ(Fetch(address_, "/x").status, 200);
  EXPECT_EQ(idle.front()->ReadAll(), "") << "the longest idle one goes";
  idle.back()->Send("GET /still HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(idle.back()->ReadUntil("GET /still"), HasSubstr("200"));
}

TEST_F(HttpListenerTest, EndsItsIdleConnectionsWithItself) {
  Client client(address_);
  client.Send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_THAT(client.ReadUntil("GET /1"), HasSubstr("200"));
  control_.On([this] { listener_.reset(); });
  EXPECT_EQ(client.ReadAll(), "");
  EXPECT_FALSE(Client(address_).connected());
}

TEST_F(HttpListenerTest, TakenAddressIsAnErrorThatNamesIt) {
  control_.On([this] {
    const auto second = HttpListener::Open(control_.context(), address_,
                                           [](const HttpRequest&) { return HttpResponse{}; });
    ASSERT_FALSE(second.ok());
    EXPECT_TRUE(absl::IsAlreadyExists(second.status()));
    EXPECT_THAT(std::string(second.status().message()), HasSubstr(address_));
  });
}

}  // namespace
}  // namespace sluice::web
