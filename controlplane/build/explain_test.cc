#include "controlplane/build/explain.h"

#include <gtest/gtest.h>

#include "controlplane/build/testing_documents.h"

namespace sluice::build {
namespace {

constexpr char kDocument[] =
    "services:\n"
    "  - name: web\n"
    "    bind_address: '127.0.0.1:8000'\n"
    "    routes:\n"
    "      - name: api\n"
    "        host: api.test\n"
    "        path_prefix: /v1\n"
    "        strip_prefix: /v1\n"
    "        host_rewrite: internal.test\n"
    "        upstreams: [{name: old, weight: 3}, {name: new, weight: 1}]\n"
    "      - {name: moved, path_prefix: /old, redirect: {path: /new}}\n"
    "      - {name: slashes, path_prefix: /s, keep_encoded_slashes: true, upstreams: [{name: "
    "old}]}\n"
    "  - name: other\n"
    "    bind_address: '127.0.0.1:8001'\n"
    "    routes: [{name: all, host: only.test, upstreams: [{name: old}]}]\n"
    "upstreams:\n"
    "  - {name: old, nodes: [{addr: '10.0.0.1:80'}, {addr: '10.0.0.2:80'}]}\n"
    "  - {name: new, nodes: [{addr: '10.0.0.3:80'}]}\n";

class ExplainTest : public testing::Test {
 protected:
  absl::StatusOr<v1::ExplainResponse> Ask(const std::string& url, const std::string& service = "",
                                          const std::string& header = "") {
    v1::ExplainRequest request;
    request.set_url(url);
    request.set_service(service);
    if (!header.empty()) request.add_headers(header);
    return Explain(built_.resources, request);
  }
  std::string ErrorOf(const std::string& url, const std::string& service = "") {
    return std::string(Ask(url, service).status().message());
  }

  const BuildResult built_ = testing_documents::Build(testing_documents::DocumentOf(kDocument));
};

TEST_F(ExplainTest, TellsRouteUpstreamsAndWhatIsSent) {
  const auto answer = Ask("http://API.test:8000/v1/x/../y?q=1");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->service(), "web");
  EXPECT_EQ(answer->route(), "api");
  EXPECT_EQ(answer->status(), 0u);
  EXPECT_EQ(answer->path_sent(), "/y?q=1");
  EXPECT_EQ(answer->host_sent(), "internal.test");
  ASSERT_EQ(answer->upstreams_size(), 2);
  EXPECT_EQ(answer->upstreams(0).share(), 0.75);
  EXPECT_EQ(answer->upstreams(1).share(), 0.25);
  ASSERT_EQ(answer->upstreams(0).endpoints_size(), 2);
  EXPECT_EQ(answer->upstreams(0).endpoints(1).address(), "10.0.0.2:80");
}

TEST_F(ExplainTest, TellsWhyEarlierRoutesLost) {
  const auto answer = Ask("http://x.test:8000/old/page");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->route(), "moved");
  EXPECT_EQ(answer->status(), 308u);
  EXPECT_EQ(answer->path_sent(), "");
  ASSERT_EQ(answer->candidates_size(), 2);
  EXPECT_EQ(answer->candidates(0).route(), "api");
  EXPECT_FALSE(answer->candidates(0).matched());
  EXPECT_EQ(answer->candidates(0).reason(), "the host is 'x.test', the route wants 'api.test'");
  EXPECT_TRUE(answer->candidates(1).matched());
  EXPECT_EQ(answer->reason(), answer->candidates(1).reason());
}

TEST_F(ExplainTest, NoRouteIsAnAnswerNotAnError) {
  const auto answer = Ask("http://x.test:8000/");
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->route(), "");
  EXPECT_EQ(answer->status(), 404u);
  EXPECT_EQ(answer->candidates_size(), 3);
  EXPECT_EQ(answer->reason(), "no route matches");
}

TEST_F(ExplainTest, RefusedPathsAreToldAsTheProxyAnswersThem) {
  EXPECT_EQ(Ask("http://x.test:8000/../x")->status(), 400u);
  EXPECT_EQ(Ask("http://api.test:8000/v1/a%2fb")->status(), 400u);
  EXPECT_EQ(Ask("http://x.test:8000/s/a%2fb")->path_sent(), "/s/a%2Fb");
}

TEST_F(ExplainTest, ServiceIsChosenByNameByPortOrByBeingTheOnlyMatch) {
  EXPECT_EQ(Ask("http://only.test:8001/")->service(), "other");
  EXPECT_EQ(Ask("http://only.test/")->service(), "other");
  EXPECT_EQ(Ask("http://only.test:8001/", "web")->service(), "web");
  EXPECT_EQ(Ask("/old", "web", "Host: a.test:8000")->route(), "moved");
}

TEST_F(ExplainTest, ErrorsNameWhatIsWrong) {
  EXPECT_EQ(ErrorOf("http://nowhere.test/"),
            "which service is meant is not clear; name one of other, web");
  EXPECT_EQ(ErrorOf("http://x.test/", "wbe"), "no service is named 'wbe'; did you mean 'web'?");
  EXPECT_EQ(ErrorOf("ftp://x.test/"),
            "'ftp://x.test/': the scheme is neither http nor https; write it like "
            "http://www.example.com/path");
  EXPECT_EQ(ErrorOf("http://x.test:99999/"),
            "'http://x.test:99999/': the port is not a number up to 65535; write it like "
            "http://www.example.com/path");
  EXPECT_EQ(ErrorOf("x.test"),
            "'x.test': it is not a URL; write it like http://www.example.com/path");
  EXPECT_TRUE(absl::IsInvalidArgument(Ask("http://x.test/", "", "nonsense").status()));
}

}  // namespace
}  // namespace sluice::build
