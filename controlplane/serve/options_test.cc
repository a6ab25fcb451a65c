#include "controlplane/serve/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/testing_reference.h"

namespace sluice::serve {
namespace {

using ::testing::HasSubstr;
using Outcome = base::Flags::Outcome;

struct Parsed {
  Outcome outcome;
  ControllerOptions options;
  std::string out, error;
};

Parsed Parse(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "sluice-controller");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  Parsed parsed;
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  parsed.outcome =
      ParseControllerOptions(static_cast<int>(argv.size()), argv.data(), &parsed.options);
  parsed.out = ::testing::internal::GetCapturedStdout();
  parsed.error = ::testing::internal::GetCapturedStderr();
  return parsed;
}

TEST(ControllerOptionsTest, InsecureIsForThisMachineOnly) {
  EXPECT_EQ(Parse({"--insecure"}).outcome, Outcome::kRun);
  const Parsed parsed = Parse({"--insecure", "--grpc-address", "0.0.0.0:7400"});
  EXPECT_EQ(parsed.outcome, Outcome::kExitUsage);
  EXPECT_THAT(parsed.error, HasSubstr("--insecure is refused on 0.0.0.0:7400"));
}

TEST(ControllerOptionsTest, WithoutAnyFlagTheControllerHasACaOfItsOwn) {
  const Parsed parsed = Parse({"--grpc-address=0.0.0.0:7400", "--tls-name=c.example.com"});
  EXPECT_EQ(parsed.outcome, Outcome::kRun);
  EXPECT_FALSE(parsed.options.insecure);
  EXPECT_EQ(parsed.options.tls_names, std::vector<std::string>{"c.example.com"});
}

TEST(ControllerOptionsTest, AnEtcdHasMembersAndAPrefix) {
  const Parsed parsed = Parse({"--insecure", "--store=etcd://a.test:2379,10.0.0.2:2380/team/a"});
  EXPECT_EQ(parsed.outcome, Outcome::kRun);
  ASSERT_TRUE(parsed.options.etcd.has_value());
  EXPECT_EQ(parsed.options.etcd->endpoints,
            (std::vector<std::string>{"a.test:2379", "10.0.0.2:2380"}));
  EXPECT_EQ(parsed.options.etcd->prefix, "/team/a");
  EXPECT_EQ(parsed.options.advertise_address, "127.0.0.1:7400");
  EXPECT_EQ(Parse({"--insecure", "--store=etcd://a:1"}).options.etcd->prefix, "/sluice");
  EXPECT_FALSE(Parse({"--insecure"}).options.etcd.has_value());
}

TEST(ControllerOptionsTest, RefusesWhatDoesNotFitTogether) {
  for (const auto& [arguments, why] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"--insecure", "--tls-name=a"}, "--tls-name is for the certificate that"},
           {{"--tls-name=a b"}, "--tls-name a b: a host name"},
           {{"--node-certificate-ttl=1s"}, "--node-certificate-ttl must lie between"},
           {{"--seal-key-file=a", "--seal-key-command=b"}, "exclude each other"},
           {{"--tls-cert=a"}, "belong together"},
           {{"--insecure", "--tls-cert=a", "--tls-key=b", "--tls-ca=c"}, "exclude each other"},
           {{"--insecure", "--store=etcd"}, "--store etcd"},
           {{"--insecure", "--store=etcd://"}, "--store etcd://"},
           {{"--insecure", "--store=etcd://a"}, "write sqlite or etcd://HOST:PORT"},
           {{"--insecure", "--store=etcd://a:1,"}, "write sqlite or etcd://HOST:PORT"},
           {{"--insecure", "--store=etcd://a:1/"}, "write sqlite or etcd://HOST:PORT"},
           {{"--insecure", "--store=etcd://a:1/b/"}, "write sqlite or etcd://HOST:PORT"},
           {{"--insecure", "--etcd-ca=a"}, "are for --store etcd"},
           {{"--insecure", "--store=etcd://a:1", "--etcd-cert=a"}, "give both"},
           {{"--insecure", "--store=etcd://a:1", "--etcd-cert=a", "--etcd-key=b"}, "--etcd-ca"},
           {{"--insecure", "--store=etcd://a:1", "--advertise-address=a"}, "--advertise-address a"},
           {{"--grpc-address=0.0.0.0:7400", "--store=etcd://a:1"}, "say with --advertise-address"},
           {{"--insecure", "--grpc-address=controller:7400"}, "--grpc-address controller:7400"},
           {{"--insecure", "--admin-address=here"}, "--admin-address here"},
           {{"--insecure", "--report-interval=1ms"}, "--report-interval at least 10ms"}}) {
    const Parsed parsed = Parse(arguments);
    EXPECT_EQ(parsed.outcome, Outcome::kExitUsage) << why;
    EXPECT_THAT(parsed.error, HasSubstr(why));
  }
}

TEST(ReferenceTest, ControllerFlagsAreCurrent) {
  EXPECT_TRUE(base::testing::IsReferenceCurrent("docs/reference/sluice-controller.md",
                                                Parse({"--help-markdown"}).out));
}

}  // namespace
}  // namespace sluice::serve
