#include "controlplane/publish/capabilities.h"

#include <gmock/gmock.h>

#include "common/config/features.h"
#include "controlplane/publish/testing_resources.h"

namespace sluice::publish {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::ResourcesOf;
using ::testing::SizeIs;
using testing::WithSlowStart;

v1::Hello HelloWith(const std::vector<std::string>& features) {
  v1::Hello hello;
  hello.set_node_id("edge-3");
  for (const std::string& feature : features) hello.add_features(feature);
  return hello;
}

v1::Hello HelloOfThisBuild() {
  const auto known = config::KnownFeatures();
  return HelloWith({known.begin(), known.end()});
}

TEST(CapabilitiesTest, ThisBuildCanWhatThisBuildKnows) {
  EXPECT_TRUE(KnowsEverything(HelloOfThisBuild()));
  EXPECT_THAT(WhatIsLacking(NeedsOf(*WithSlowStart({})), HelloOfThisBuild()), IsEmpty());
}

TEST(CapabilitiesTest, FeaturesOfANewerProxyDoNotMatter) {
  v1::Hello hello = HelloOfThisBuild();
  hello.add_features("telepathy");
  EXPECT_TRUE(KnowsEverything(hello));
}

TEST(CapabilitiesTest, ANodeThatDeclaresNothingHasWhatWasThereBeforeDeclaring) {
  for (const std::string_view feature : config::KnownFeatures()) {
    SnapshotNeeds needs;
    needs.needs.push_back({feature, {}, ""});
    EXPECT_EQ(WhatIsLacking(needs, HelloWith({})).empty(), config::IsAssumed(feature)) << feature;
    if (config::IsOfProtocol(feature)) continue;
    // What it says of the protocol, or of what we do not know, says nothing of snapshots.
    EXPECT_THAT(WhatIsLacking(needs, HelloWith({"resource-delta", "telepathy"})), IsEmpty())
        << feature;
  }
}

TEST(CapabilitiesTest, WhatIsLackingIsToldByNodeFeatureAndResource) {
  v1::Cluster http2;
  http2.set_name("grpc");
  http2.set_protocol(v1::UPSTREAM_PROTOCOL_HTTP2);
  snapshot::Resources resources = *WithSlowStart(*ResourcesOf("a"));
  for (const char* name : {"other", "third"}) {
    v1::Cluster slow;
    slow.set_name(name);
    slow.set_slow_start_ms(5);
    resources.push_back(snapshot::MakeResource(v1::RESOURCE_KIND_CLUSTER, name, slow));
  }
  resources.push_back(snapshot::MakeResource(v1::RESOURCE_KIND_CLUSTER, "grpc", http2));
  const auto errors = WhatIsLacking(NeedsOf(resources), HelloWith({"http2_upstream"}));
  ASSERT_THAT(errors, SizeIs(1));
  EXPECT_EQ(errors[0].resource().name(), "slow");
  EXPECT_EQ(errors[0].resource().kind(), v1::RESOURCE_KIND_CLUSTER);
  EXPECT_EQ(errors[0].field(), "slow_start_ms");
  EXPECT_THAT(errors[0].message(),
              AllOf(HasSubstr("edge-3"), HasSubstr("slow_start"), HasSubstr("3 resources")));
}

TEST(CapabilitiesTest, TheSizeANodeTakesIsKept) {
  const auto resources = ResourcesOf("a");
  v1::Hello hello = HelloOfThisBuild();
  hello.set_snapshot_bytes_max(NeedsOf(*resources).bytes);
  Capabilities capabilities;
  EXPECT_THAT(capabilities.WhatIsLacking("root", resources, hello, true), IsEmpty());
  hello.set_snapshot_bytes_max(hello.snapshot_bytes_max() - 1);
  const auto errors = capabilities.WhatIsLacking("root", resources, hello, true);
  ASSERT_THAT(errors, SizeIs(1));
  EXPECT_THAT(errors[0].message(), HasSubstr("at most"));
}

TEST(CapabilitiesTest, RootsAreToldApartAndForgottenInTurn) {
  Capabilities capabilities;
  const v1::Hello hello = HelloWith({"hedging"});
  const auto slow = WithSlowStart({});
  const auto plain = ResourcesOf("a");
  for (int i = 0; i < 20; ++i) {
    const std::string root = std::to_string(i);
    EXPECT_EQ(capabilities.WhatIsLacking(root, i % 2 == 0 ? slow : plain, hello, false).size(),
              i % 2 == 0 ? 1u : 0u);
  }
}

}  // namespace
}  // namespace sluice::publish
