#include "tools/fleetsim/offer_receiver.h"

#include <gtest/gtest.h>

#include "tools/fleetsim/testing_offers.h"

namespace sluice::fleetsim {
namespace {

using testing::OfferOf;
using testing::ResourcesOf;

class OfferReceiverTest : public ::testing::TestWithParam<bool> {
 protected:
  OfferReceiver Receive(const snapshot::EncodedDelta& delta, const SnapshotPtr& base) {
    OfferReceiver receiver(delta.offer, base, GetParam(), pool_);
    for (const v1::Chunk& chunk : delta.chunks) receiver.Add(chunk);
    return receiver;
  }

  SnapshotPool pool_;
  const SnapshotPtr nothing_ = pool_.Intern("", {});
};

TEST_P(OfferReceiverTest, NodesThatGoTheSameWayHaveOneSnapshot) {
  const snapshot::Resources first = ResourcesOf("one"), second = ResourcesOf("two");
  const snapshot::EncodedDelta whole = OfferOf(1, nullptr, first);
  ASSERT_GE(whole.chunks.size(), 2u);
  const auto a = Receive(whole, nothing_).Finish(), b = Receive(whole, nothing_).Finish();
  ASSERT_TRUE(a.ok() && b.ok()) << a.status() << b.status();
  EXPECT_EQ(*a, *b);
  EXPECT_EQ((*a)->root, snapshot::RootOf(first));

  const snapshot::EncodedDelta change = OfferOf(2, &first, second);
  EXPECT_LT(change.offer.bytes(), 200u);
  const auto next = Receive(change, *a).Finish();
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(snapshot::RootOf((*next)->resources), snapshot::RootOf(second));
}

TEST_P(OfferReceiverTest, OneWhoseBytesDifferIsAloneWithIt) {
  const snapshot::Resources resources = ResourcesOf("one");
  const snapshot::EncodedDelta whole = OfferOf(1, nullptr, resources);
  OfferReceiver good = Receive(whole, nothing_);
  for (size_t which = 0; which < whole.chunks.size(); ++which) {
    snapshot::EncodedDelta damaged = whole;
    damaged.chunks[which].mutable_data()->back() ^= 1;
    EXPECT_FALSE(Receive(damaged, nothing_).Finish().ok()) << which;
  }
  EXPECT_TRUE(good.Finish().ok());
  EXPECT_TRUE(Receive(whole, nothing_).Finish().ok());
}

TEST_P(OfferReceiverTest, WhatIsMissingOrTooMuchIsNotMadeUpByTheOthers) {
  const snapshot::EncodedDelta whole = OfferOf(1, nullptr, ResourcesOf("one"));
  OfferReceiver good = Receive(whole, nothing_);
  ASSERT_TRUE(good.Finish().ok());
  snapshot::EncodedDelta cut = whole;
  cut.chunks.pop_back();
  EXPECT_EQ(Receive(cut, nothing_).Finish().status().code(), absl::StatusCode::kDataLoss);
  snapshot::EncodedDelta more = whole;
  more.chunks.push_back(whole.chunks.back());
  EXPECT_FALSE(Receive(more, nothing_).Finish().ok());
}

TEST_P(OfferReceiverTest, NoChunkAtAllIsAnOfferToo) {
  const snapshot::Resources resources = ResourcesOf("one");
  SnapshotPtr base = *Receive(OfferOf(1, nullptr, resources), nothing_).Finish();
  const snapshot::Resources less = {resources[0]};
  const auto rest = Receive(OfferOf(2, &resources, less), base).Finish();
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ((*rest)->resources.size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Decoding, OfferReceiverTest, ::testing::Bool(),
                         [](const auto& each) { return each.param ? "each" : "shared"; });

}  // namespace
}  // namespace sluice::fleetsim
