#include "controlplane/publish/delta_cache.h"

#include <gtest/gtest.h>

#include "common/snapshot/delta.h"
#include "controlplane/publish/testing_resources.h"

namespace sluice::publish {
namespace {

using snapshot::ChangedAs;
using testing::ResourcesOf;
using testing::VersionOf;

v1::Offer OfferOf(const EncodedOffer& encoded) {
  v1::ControllerMessage message;
  EXPECT_TRUE(message.ParseFromString(encoded.messages[0]->bytes));
  return message.offer();
}

TEST(DeltaCacheTest, EncodesOnceForAllWhoGoTheSameWay) {
  DeltaCache cache([](const std::string&) { return nullptr; });
  const auto from = ResourcesOf("a"), to = ResourcesOf("b");
  const std::string base = snapshot::RootOf(*from);
  cache.Know(base, from);
  const SharedMessage first =
      cache.Find(base, VersionOf(2, *to), to, ChangedAs::kWhole).messages[0];
  EXPECT_EQ(cache.Find(base, VersionOf(2, *to), to, ChangedAs::kWhole).messages[0], first);
  EXPECT_EQ(cache.encoded_count(), 1u);
  EXPECT_NE(cache.Find("", VersionOf(2, *to), to, ChangedAs::kWhole).messages[0], first);
  EXPECT_NE(
      OfferOf(cache.Find(base, VersionOf(3, *to), to, ChangedAs::kWhole)).version().revision(), 2u);
  EXPECT_EQ(cache.encoded_count(), 3u);
}

TEST(DeltaCacheTest, OnlyWhoTakesDeltasGetsThem) {
  v1::Hello hello;
  EXPECT_EQ(ChangedAsFor(hello), ChangedAs::kWhole);
  hello.add_features("something else");
  hello.add_features(std::string(snapshot::kResourceDeltaFeature));
  EXPECT_EQ(ChangedAsFor(hello), ChangedAs::kDelta);

  DeltaCache cache([](const std::string&) { return nullptr; });
  const std::string large(100'000, 'x');
  const auto from = ResourcesOf(large + "a"), to = ResourcesOf(large + "b");
  const std::string base = snapshot::RootOf(*from);
  cache.Know(base, from);
  EXPECT_GT(cache.Find(base, VersionOf(2, *to), to, ChangedAs::kWhole).bytes, 100'000u);
  EXPECT_LT(cache.Find(base, VersionOf(2, *to), to, ChangedAs::kDelta).bytes, 500u);
  EXPECT_EQ(cache.encoded_count(), 2u);
}

TEST(DeltaCacheTest, WhatIsNotKnownIsLoadedOnce) {
  int loads = 0;
  const auto from = ResourcesOf("a"), to = ResourcesOf("b");
  DeltaCache cache([&](const std::string&) { return ++loads, from; });
  const std::string base = snapshot::RootOf(*from);
  EXPECT_EQ(OfferOf(cache.Find(base, VersionOf(2, *to), to, ChangedAs::kWhole)).base_root(), base);
  EXPECT_EQ(OfferOf(cache.Find(base, VersionOf(3, *to), to, ChangedAs::kWhole)).base_root(), base);
  EXPECT_EQ(loads, 1);
}

TEST(DeltaCacheTest, AnUnknownRootIsBuiltOnNothing) {
  DeltaCache cache([](const std::string&) { return nullptr; });
  const auto to = ResourcesOf("b");
  const v1::Offer offer =
      OfferOf(cache.Find("nobody knows", VersionOf(2, *to), to, ChangedAs::kWhole));
  EXPECT_EQ(offer.base_root(), "");
}

TEST(DeltaCacheTest, IsBounded) {
  DeltaCache cache([](const std::string&) { return nullptr; });
  const auto to = ResourcesOf("b");
  const auto find = [&](size_t revision) {
    cache.Find("", VersionOf(revision, *to), to, ChangedAs::kWhole);
  };
  for (size_t i = 0; i <= DeltaCache::kDeltasMax; ++i) find(i);
  const uint64_t before = cache.encoded_count();
  find(1);
  EXPECT_EQ(cache.encoded_count(), before) << "still there";
  find(0);
  EXPECT_EQ(cache.encoded_count(), before + 1) << "the oldest went";
}

TEST(DeltaCacheTest, LargeSnapshotsGoInChunks) {
  DeltaCache cache([](const std::string&) { return nullptr; });
  const auto to = ResourcesOf(std::string(3 * snapshot::kChunkBytesMax, 'x'));
  const EncodedOffer& offer = cache.Find("", VersionOf(1, *to), to, ChangedAs::kWhole);
  EXPECT_GE(offer.messages.size(), 4u);
  uint64_t bytes = 0;
  for (const SharedMessage& message : offer.messages) {
    EXPECT_LE(message->bytes.size(), snapshot::kChunkBytesMax + 1024);
    bytes += message->bytes.size();
  }
  EXPECT_EQ(offer.bytes, bytes);
}

}  // namespace
}  // namespace sluice::publish
