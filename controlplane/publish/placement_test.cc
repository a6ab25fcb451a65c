#include "controlplane/publish/placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controlplane/publish/testing_placed.h"

namespace sluice::publish {
namespace {

using ::testing::ElementsAre;
using testing::PlacedSnapshot;
using testing::VersionOf;

Labels LabelsOf(std::initializer_list<std::pair<const char*, const char*>> pairs) {
  Labels labels;
  for (const auto& [key, value] : pairs) labels[key] = value;
  return labels;
}

std::shared_ptr<const PlacedVersion> Of(Placement& placement, const v1::Version& version,
                                        const SharedResources& resources, const Labels& labels,
                                        size_t parts_max = 100) {
  return placement.Of(version, resources, labels, parts_max);
}

std::vector<std::string> NamesIn(const PlacedVersion& placed) {
  std::vector<std::string> names;
  for (const auto& resource : *placed.resources) {
    names.push_back(std::string(snapshot::KindName(resource->kind())) + "/" + resource->name());
  }
  return names;
}

TEST(PlacementTest, WithoutPlacementEveryNodeGetsTheVersionItself) {
  Placement placement;
  const SharedResources resources = PlacedSnapshot({{"a", {}}, {"b", {}}});
  const v1::Version version = VersionOf(3, *resources);
  const auto placed = Of(placement, version, resources, LabelsOf({{"zone", "eu"}}));
  EXPECT_EQ(placed->resources, resources);
  EXPECT_EQ(placed->version.SerializeAsString(), version.SerializeAsString());
}

TEST(PlacementTest, ANodeGetsItsServicesAndWhatTheyNameAndNothingElse) {
  Placement placement;
  const SharedResources resources =
      PlacedSnapshot({{"all", {}}, {"edge", {"tier=edge"}}, {"eu", {"tier=edge", "zone=eu"}}});
  const v1::Version version = VersionOf(3, *resources);
  const auto outside = Of(placement, version, resources, LabelsOf({{"zone", "eu"}}));
  EXPECT_THAT(NamesIn(*outside),
              ElementsAre("settings/", "listener/all", "route_table/all", "cluster/all-up",
                          "certificate/all-cert", "certificate/all-client"));
  EXPECT_EQ(outside->version.root(), snapshot::RootOf(*outside->resources));
  EXPECT_NE(outside->version.root(), version.root());
  EXPECT_EQ(outside->version.revision(), 3u);
  EXPECT_EQ(outside->version.epoch(), version.epoch());
  const auto edge = Of(placement, version, resources, LabelsOf({{"tier", "edge"}}));
  EXPECT_THAT(
      NamesIn(*edge),
      ElementsAre("settings/", "listener/all", "listener/edge", "route_table/all",
                  "route_table/edge", "cluster/all-up", "cluster/edge-up", "certificate/all-cert",
                  "certificate/all-client", "certificate/edge-cert", "certificate/edge-client"));
  // Both labels: every service is here, and so is the whole root.
  const auto both = Of(placement, version, resources, LabelsOf({{"tier", "edge"}, {"zone", "eu"}}));
  EXPECT_EQ(both->version.root(), version.root());
  // The key alone is not the label.
  EXPECT_EQ(Of(placement, version, resources, LabelsOf({{"tier", "core"}}))->version.root(),
            outside->version.root());
}

TEST(PlacementTest, NodesWithTheSameServicesShareOnePart) {
  Placement placement;
  const SharedResources resources = PlacedSnapshot({{"all", {}}, {"edge", {"tier=edge"}}});
  const v1::Version version = VersionOf(3, *resources);
  const auto one = Of(placement, version, resources, LabelsOf({{"rack", "1"}}));
  EXPECT_EQ(Of(placement, version, resources, LabelsOf({{"rack", "2"}})), one);
  EXPECT_EQ(placement.FindPart(one->version.root()), one->resources);
  EXPECT_EQ(placement.FindPart(std::string(32, 'x')), nullptr);
}

TEST(PlacementTest, VersionsWithOneRootAreToldApartByTheirNumbers) {
  Placement placement;
  const SharedResources resources = PlacedSnapshot({{"all", {}}, {"edge", {"tier=edge"}}});
  const auto third = Of(placement, VersionOf(3, *resources), resources, {});
  const auto fifth = Of(placement, VersionOf(5, *resources), resources, {});
  EXPECT_EQ(third->version.root(), fifth->version.root());
  EXPECT_EQ(fifth->version.revision(), 5u);
}

TEST(PlacementTest, OnlySomePartsAreRemembered) {
  Placement placement;
  const SharedResources resources =
      PlacedSnapshot({{"a", {"tier=a"}}, {"b", {"tier=b"}}, {"c", {"tier=c"}}});
  const v1::Version version = VersionOf(1, *resources);
  const auto a = Of(placement, version, resources, LabelsOf({{"tier", "a"}}), 2);
  const auto b = Of(placement, version, resources, LabelsOf({{"tier", "b"}}), 2);
  const auto c = Of(placement, version, resources, LabelsOf({{"tier", "c"}}), 2);
  EXPECT_EQ(placement.FindPart(a->version.root()), nullptr);
  EXPECT_EQ(placement.FindPart(b->version.root()), b->resources);
  EXPECT_EQ(placement.FindPart(c->version.root()), c->resources);
  // Made again, it is the same.
  EXPECT_EQ(Of(placement, version, resources, LabelsOf({{"tier", "a"}}), 2)->version.root(),
            a->version.root());
}

TEST(PlacementTest, TheOldestVersionIsForgotten) {
  Placement placement;
  const SharedResources resources = PlacedSnapshot({{"edge", {"tier=edge"}}});
  const std::string root = Of(placement, VersionOf(1, *resources), resources, {})->version.root();
  const SharedResources others = PlacedSnapshot({{"other", {"tier=edge"}}, {"here", {}}});
  for (uint64_t i = 2; i <= 1 + Placement::kVersionsMax; ++i) {
    Of(placement, VersionOf(i, *others), others, {});
  }
  EXPECT_EQ(placement.FindPart(root), nullptr);
}

}  // namespace
}  // namespace sluice::publish
