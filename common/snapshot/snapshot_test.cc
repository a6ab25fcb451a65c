#include "common/snapshot/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "common/base/hash.h"
#include "sluice/v1/cluster.pb.h"
#include "sluice/v1/control_service.pb.h"

namespace sluice::snapshot {
namespace {

std::shared_ptr<const v1::Resource> ClusterNamed(const std::string& name) {
  v1::Cluster cluster;
  cluster.set_name(name);
  return MakeResource(v1::RESOURCE_KIND_CLUSTER, name, cluster);
}

TEST(SnapshotTest, HashCoversKindNameAndBodySeparately) {
  const std::set<std::string> hashes = {
      ResourceHash(v1::RESOURCE_KIND_CLUSTER, "ab", "c"),
      ResourceHash(v1::RESOURCE_KIND_CLUSTER, "a", "bc"),
      ResourceHash(v1::RESOURCE_KIND_LISTENER, "a", "bc"),
      ResourceHash(v1::RESOURCE_KIND_CLUSTER, "", "abc"),
      ResourceHash(v1::RESOURCE_KIND_CLUSTER, "abc", ""),
  };
  EXPECT_EQ(hashes.size(), 5u);
  EXPECT_EQ(hashes.begin()->size(), 32u);
}

// Stored versions and nodes of other releases are compared by it.
TEST(SnapshotTest, HashHasTheStatedLayout) {
  const std::string layout = std::string("\4\0\0\0\0\0\0\0", 8) + std::string("\4\0\0\0", 4) +
                             std::string("\1\0\0\0\0\0\0\0", 8) + "n" +
                             std::string("\2\0\0\0\0\0\0\0", 8) + "bb";
  EXPECT_EQ(ResourceHash(v1::RESOURCE_KIND_CLUSTER, "n", "bb"), base::Sha256(layout));
}

TEST(SnapshotTest, MakeResourceSerialisesAndHashes) {
  v1::Cluster cluster;
  cluster.set_name("users");
  cluster.add_endpoints()->set_address("10.0.0.1:80");
  const auto resource = MakeResource(v1::RESOURCE_KIND_CLUSTER, "users", cluster);
  v1::Cluster parsed;
  ASSERT_TRUE(parsed.ParseFromString(resource->body()));
  EXPECT_EQ(parsed.endpoints(0).address(), "10.0.0.1:80");
  EXPECT_EQ(resource->sha256(), ResourceHash(v1::RESOURCE_KIND_CLUSTER, "users", resource->body()));
}

TEST(SnapshotTest, EqualMapsGiveEqualBytes) {
  v1::Hello forward;
  v1::Hello backward;
  for (int i = 0; i < 50; ++i) {
    (*forward.mutable_labels())["k" + std::to_string(i)] = "v";
    (*backward.mutable_labels())["k" + std::to_string(49 - i)] = "v";
  }
  EXPECT_EQ(MakeResource(v1::RESOURCE_KIND_CLUSTER, "x", forward)->sha256(),
            MakeResource(v1::RESOURCE_KIND_CLUSTER, "x", backward)->sha256());
}

TEST(SnapshotTest, SortsByKindThenName) {
  Resources resources = {ClusterNamed("b"), ClusterNamed("a"),
                         MakeResource(v1::RESOURCE_KIND_LISTENER, "z", v1::Cluster())};
  ASSERT_TRUE(SortAndCheck(&resources).ok());
  EXPECT_EQ(resources[0]->name(), "z");
  EXPECT_EQ(resources[1]->name(), "a");
  EXPECT_EQ(resources[2]->name(), "b");
}

TEST(SnapshotTest, SameKindAndNameTwiceIsAnError) {
  Resources resources = {ClusterNamed("a"), ClusterNamed("b"), ClusterNamed("a")};
  const absl::Status status = SortAndCheck(&resources);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("cluster 'a' occurs twice"));
}

TEST(SnapshotTest, RootFollowsContentNotOrderOfAddition) {
  Resources one = {ClusterNamed("a"), ClusterNamed("b")};
  Resources two = {ClusterNamed("b"), ClusterNamed("a")};
  Resources three = {ClusterNamed("a"), ClusterNamed("c")};
  for (Resources* resources : {&one, &two, &three}) ASSERT_TRUE(SortAndCheck(resources).ok());
  EXPECT_EQ(RootOf(one), RootOf(two));
  EXPECT_NE(RootOf(one), RootOf(three));
  EXPECT_EQ(RootOf(one), base::Sha256(one[0]->sha256() + one[1]->sha256()));
}

TEST(SnapshotTest, ShortHexCutsAndSurvivesShortInput) {
  EXPECT_EQ(ShortHex(std::string(32, '\xAB')), "abababababab");
  EXPECT_EQ(ShortHex("\x01"), "01");
  EXPECT_EQ(ShortHex(""), "");
}

}  // namespace
}  // namespace sluice::snapshot
