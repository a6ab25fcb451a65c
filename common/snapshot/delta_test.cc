#include "common/snapshot/delta.h"

#include <gmock/gmock.h>
#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "common/base/random.h"

namespace sluice::snapshot {
namespace {

constexpr uint64_t kBytesMax = 64 << 20;

std::shared_ptr<const v1::Resource> Make(v1::ResourceKind kind, const std::string& name,
                                         const std::string& body) {
  auto resource = std::make_shared<v1::Resource>();
  resource->set_kind(kind);
  resource->set_name(name);
  resource->set_body(body);
  resource->set_sha256(ResourceHash(kind, name, body));
  return resource;
}

Resources Sorted(Resources resources) {
  EXPECT_TRUE(SortAndCheck(&resources).ok());
  return resources;
}

Resources Clusters(const std::map<std::string, std::string>& bodies) {
  Resources resources;
  for (const auto& [name, body] : bodies) {
    resources.push_back(Make(v1::RESOURCE_KIND_CLUSTER, name, body));
  }
  return Sorted(resources);
}

v1::Version VersionOf(const Resources& resources) {
  v1::Version version;
  version.set_revision(7);
  version.set_root(RootOf(resources));
  return version;
}

EncodedDelta Encode(const Resources* base, const Resources& target) {
  return EncodeDelta(base, target, VersionOf(target));
}

absl::StatusOr<Resources> Decode(const EncodedDelta& delta, const Resources& base,
                                 uint64_t bytes_max = kBytesMax) {
  DeltaDecoder decoder(delta.offer, base, bytes_max);
  for (const v1::Chunk& chunk : delta.chunks) {
    if (absl::Status status = decoder.Add(chunk); !status.ok()) return status;
  }
  return std::move(decoder).Finish();
}

absl::StatusCode CodeOf(const EncodedDelta& delta, const Resources& base,
                        uint64_t bytes_max = kBytesMax) {
  return Decode(delta, base, bytes_max).status().code();
}

// A delta whose stream holds just these resources.
EncodedDelta StreamOf(const Resources& stream, const Resources* base, const Resources& target) {
  EncodedDelta delta = Encode(nullptr, stream);
  *delta.offer.mutable_version() = VersionOf(target);
  if (base != nullptr) delta.offer.set_base_root(RootOf(*base));
  for (v1::Chunk& chunk : delta.chunks) chunk.set_root(RootOf(target));
  return delta;
}

TEST(DeltaTest, NothingIsSentBetweenEqualSnapshots) {
  const Resources same = Clusters({{"a", "1"}, {"b", "2"}});
  const EncodedDelta delta = Encode(&same, same);
  EXPECT_EQ(delta.offer.bytes(), 0u);
  EXPECT_TRUE(delta.chunks.empty());
  EXPECT_EQ(delta.offer.removed_size(), 0);
  EXPECT_TRUE(Decode(delta, same).ok());
}

TEST(DeltaTest, OnlyWhatDiffersIsSent) {
  const std::string large(100'000, 'x');
  const Resources base = Clusters({{"a", large}, {"b", "2"}, {"c", large}});
  const Resources target = Clusters({{"a", large}, {"b", "3"}, {"d", "4"}});
  const EncodedDelta delta = Encode(&base, target);
  EXPECT_LT(delta.offer.bytes(), 200u);
  ASSERT_EQ(delta.offer.removed_size(), 1);
  EXPECT_EQ(delta.offer.removed(0).name(), "c");
  const auto rebuilt = Decode(delta, base);
  ASSERT_TRUE(rebuilt.ok()) << rebuilt.status();
  EXPECT_EQ(RootOf(*rebuilt), RootOf(target));
  EXPECT_EQ((*rebuilt)[0].get(), base[0].get());  // Shared, not copied.
}

TEST(DeltaTest, LargeResourcesAreCutIntoChunks) {
  const Resources target = Clusters({{"a", std::string(600 * 1024, 'x')}, {"b", "2"}});
  const EncodedDelta delta = Encode(nullptr, target);
  ASSERT_EQ(delta.chunks.size(), 3u);
  uint64_t bytes = 0;
  for (const v1::Chunk& chunk : delta.chunks) {
    EXPECT_LE(chunk.data().size(), kChunkBytesMax);
    EXPECT_EQ(chunk.root(), RootOf(target));
    bytes += chunk.data().size();
  }
  EXPECT_EQ(bytes, delta.offer.bytes());
  const auto rebuilt = Decode(delta, {});
  ASSERT_TRUE(rebuilt.ok()) << rebuilt.status();
  EXPECT_EQ((*rebuilt)[0]->body(), target[0]->body());
}

TEST(DeltaTest, EmptySnapshotsWork) {
  const Resources empty;
  const Resources some = Clusters({{"a", "1"}});
  EXPECT_TRUE(Decode(Encode(nullptr, empty), {}).ok());
  const auto emptied = Decode(Encode(&some, empty), some);
  ASSERT_TRUE(emptied.ok());
  EXPECT_TRUE(emptied->empty());
  EXPECT_TRUE(Decode(Encode(&empty, some), empty).ok());
}

TEST(DeltaTest, ChunksMayBeCutAnywhere) {
  const Resources target = Clusters({{"a", std::string(300, 'x')}, {"b", "2"}, {"c", ""}});
  const EncodedDelta whole = Encode(nullptr, target);
  const std::string& data = whole.chunks[0].data();
  for (size_t cut = 0; cut <= data.size(); ++cut) {
    EncodedDelta parts{whole.offer, {whole.chunks[0], whole.chunks[0]}};
    parts.chunks[0].set_data(data.substr(0, cut));
    parts.chunks[1].set_data(data.substr(cut));
    ASSERT_TRUE(Decode(parts, {}).ok()) << cut;
  }
  DeltaDecoder bytewise(whole.offer, {}, kBytesMax);
  for (const char c : data) {
    v1::Chunk chunk = whole.chunks[0];
    chunk.set_data(std::string(1, c));
    ASSERT_TRUE(bytewise.Add(chunk).ok());
  }
  EXPECT_TRUE(std::move(bytewise).Finish().ok());
}

TEST(DeltaDecoderTest, TruncationIsDataLossWhereverItHappens) {
  const Resources target = Clusters({{"a", "body"}, {"b", "2"}});
  const EncodedDelta whole = Encode(nullptr, target);
  for (size_t cut = 0; cut < whole.chunks[0].data().size(); ++cut) {
    EncodedDelta cut_delta = whole;
    cut_delta.chunks[0].set_data(whole.chunks[0].data().substr(0, cut));
    ASSERT_EQ(CodeOf(cut_delta, {}), absl::StatusCode::kDataLoss) << cut;
    cut_delta.offer.set_bytes(cut);  // Announced so.
    ASSERT_FALSE(Decode(cut_delta, {}).ok()) << cut;
  }
}

TEST(DeltaDecoderTest, EveryFlippedBitIsFound) {
  const google::protobuf::LogSilencer silencer;  // Of names that are not UTF-8.
  const Resources base = Clusters({{"a", "1"}, {"z", "9"}});
  const Resources target = Clusters({{"a", "2"}, {"b", "body"}});
  const EncodedDelta whole = Encode(&base, target);
  for (size_t bit = 0; bit < whole.chunks[0].data().size() * 8; ++bit) {
    EncodedDelta flipped = whole;
    std::string* data = flipped.chunks[0].mutable_data();
    (*data)[bit / 8] = static_cast<char>((*data)[bit / 8] ^ (1 << (bit % 8)));
    const auto rebuilt = Decode(flipped, base);
    ASSERT_FALSE(rebuilt.ok()) << bit;
  }
}

TEST(DeltaDecoderTest, ChunkOfAnotherRootIsRefused) {
  const Resources target = Clusters({{"a", "1"}});
  EncodedDelta delta = Encode(nullptr, target);
  delta.chunks[0].set_root(std::string(32, 'x'));
  EXPECT_EQ(CodeOf(delta, {}), absl::StatusCode::kDataLoss);
}

TEST(DeltaDecoderTest, WrongRootOrBaseIsDataLoss) {
  const Resources base = Clusters({{"a", "1"}});
  const Resources other = Clusters({{"a", "other"}});
  const Resources target = Clusters({{"a", "1"}, {"b", "2"}});
  const EncodedDelta delta = Encode(&base, target);
  EXPECT_EQ(CodeOf(delta, other), absl::StatusCode::kDataLoss);
  EXPECT_EQ(CodeOf(delta, {}), absl::StatusCode::kDataLoss);

  const Resources stream = Clusters({{"b", "3"}});
  EXPECT_EQ(CodeOf(StreamOf(stream, &base, target), base), absl::StatusCode::kDataLoss);
}

TEST(DeltaDecoderTest, ComputedRootIsKnownForResync) {
  const Resources stream = Clusters({{"b", "3"}});
  const EncodedDelta delta = StreamOf(stream, nullptr, Clusters({{"b", "2"}}));
  DeltaDecoder decoder(delta.offer, {}, kBytesMax);
  ASSERT_TRUE(decoder.Add(delta.chunks[0]).ok());
  EXPECT_EQ(std::move(decoder).Finish().status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(decoder.computed_root(), RootOf(stream));
}

TEST(DeltaDecoderTest, BaseIsIgnoredWhenTheOfferBuildsOnNothing) {
  const Resources base = Clusters({{"old", "1"}});
  const Resources target = Clusters({{"a", "1"}});
  const auto rebuilt = Decode(Encode(nullptr, target), base);
  ASSERT_TRUE(rebuilt.ok()) << rebuilt.status();
  EXPECT_EQ(rebuilt->size(), 1u);
}

TEST(DeltaDecoderTest, RepeatedResourceIsDataLoss) {
  const Resources target = Clusters({{"a", "1"}});
  Resources twice = target;
  twice.push_back(target[0]);
  EXPECT_EQ(CodeOf(StreamOf(twice, nullptr, target), {}), absl::StatusCode::kDataLoss);
}

TEST(DeltaDecoderTest, RemovingWhatIsNotThereIsDataLoss) {
  const Resources base = Clusters({{"a", "1"}, {"b", "2"}});
  const Resources target = Clusters({{"a", "1"}});
  EncodedDelta delta = Encode(&base, target);
  v1::ResourceId unknown = delta.offer.removed(0);
  unknown.set_name("c");
  *delta.offer.add_removed() = unknown;
  EXPECT_EQ(CodeOf(delta, base), absl::StatusCode::kDataLoss);

  EncodedDelta twice = Encode(&base, target);
  *twice.offer.add_removed() = twice.offer.removed(0);
  EXPECT_EQ(CodeOf(twice, base), absl::StatusCode::kDataLoss);

  EncodedDelta on_nothing = Encode(nullptr, target);
  *on_nothing.offer.add_removed() = unknown;
  EXPECT_EQ(CodeOf(on_nothing, {}), absl::StatusCode::kDataLoss);
}

TEST(DeltaDecoderTest, RemovedAndSentAtOnceIsDataLoss) {
  const Resources base = Clusters({{"a", "1"}});
  const Resources target = Clusters({{"a", "2"}});
  EncodedDelta delta = Encode(&base, target);
  v1::ResourceId* id = delta.offer.add_removed();
  id->set_kind(v1::RESOURCE_KIND_CLUSTER);
  id->set_name("a");
  EXPECT_EQ(CodeOf(delta, base), absl::StatusCode::kDataLoss);
}

TEST(DeltaDecoderTest, FalseHashIsDataLossEvenIfTheRootAgrees) {
  auto forged = std::make_shared<v1::Resource>(*Clusters({{"a", "1"}})[0]);
  forged->set_body("evil");
  const Resources target = {forged};
  EXPECT_EQ(CodeOf(Encode(nullptr, target), {}), absl::StatusCode::kDataLoss);
}

TEST(DeltaDecoderTest, MoreBytesThanAnnouncedOrAllowedAreRefused) {
  const Resources target = Clusters({{"a", std::string(1000, 'x')}});
  EncodedDelta delta = Encode(nullptr, target);
  EXPECT_EQ(CodeOf(delta, {}, 500), absl::StatusCode::kResourceExhausted);
  EncodedDelta more = delta;
  more.chunks.push_back(more.chunks[0]);
  EXPECT_EQ(CodeOf(more, {}), absl::StatusCode::kResourceExhausted);
  delta.offer.set_bytes(10);
  EXPECT_EQ(CodeOf(delta, {}), absl::StatusCode::kResourceExhausted);

  EncodedDelta oversized = Encode(nullptr, Clusters({{"a", std::string(300 * 1024, 'x')}}));
  oversized.chunks[0].mutable_data()->append(oversized.chunks[1].data());
  oversized.chunks.pop_back();
  EXPECT_EQ(CodeOf(oversized, {}), absl::StatusCode::kResourceExhausted);
}

TEST(DeltaDecoderTest, LimitHoldsForTheWholeRebuiltSnapshot) {
  const Resources base = Clusters({{"a", std::string(1000, 'x')}});
  const Resources target = Clusters({{"a", std::string(1000, 'x')}, {"b", std::string(1000, 'x')}});
  EXPECT_EQ(CodeOf(Encode(&base, target), base, 1500), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(CodeOf(Encode(&base, target), base, 2500), absl::StatusCode::kOk);
}

TEST(DeltaDecoderTest, HostileLengthsAreRefusedAtOnce) {
  for (const std::string& data : {std::string("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
                                  std::string("\xff\xff\xff\xff\x0f"), std::string("\x7f x"),
                                  std::string("\x80\x80\x80\x80\x80\x80")}) {
    EncodedDelta delta;
    delta.offer.set_bytes(data.size());
    delta.chunks.emplace_back().set_data(data);
    EXPECT_EQ(CodeOf(delta, {}), absl::StatusCode::kInvalidArgument);
  }
  EncodedDelta without_kind;
  without_kind.offer.set_bytes(1);
  without_kind.chunks.emplace_back().set_data(std::string(1, '\0'));
  EXPECT_EQ(CodeOf(without_kind, {}), absl::StatusCode::kInvalidArgument);
}

TEST(DeltaDecoderTest, ErrorsStay) {
  const Resources target = Clusters({{"a", "1"}});
  const EncodedDelta delta = Encode(nullptr, target);
  DeltaDecoder decoder(delta.offer, {}, kBytesMax);
  v1::Chunk wrong = delta.chunks[0];
  wrong.set_root("x");
  EXPECT_FALSE(decoder.Add(wrong).ok());
  EXPECT_FALSE(decoder.Add(delta.chunks[0]).ok());
  EXPECT_FALSE(std::move(decoder).Finish().ok());
}

Resources RandomSnapshot(base::Random* random) {
  Resources resources;
  for (int kind = 1; kind <= 5; ++kind) {
    for (int name = 0; name < 12; ++name) {
      if (random->Below(2) == 0) continue;
      const size_t size = random->Below(20) == 0 ? random->Below(700'000) : random->Below(300);
      const std::string body(size, static_cast<char>('a' + random->Below(2)));
      resources.push_back(
          Make(static_cast<v1::ResourceKind>(kind), "n" + std::to_string(name), body));
    }
  }
  return Sorted(resources);
}

// A stream of one v1::ResourceDelta for what has `before` in the base.
EncodedDelta ChangeOf(const Resources& base, const Resources& target, v1::ResourceDelta change) {
  EncodedDelta delta = Encode(&base, target);
  const std::string bytes = change.SerializeAsString();
  EXPECT_LT(bytes.size(), 128u);  // Its length is one byte.
  delta.chunks.resize(1);
  delta.chunks[0].set_root(RootOf(target));
  delta.chunks[0].set_data(static_cast<char>(bytes.size()) + bytes);
  delta.offer.set_bytes(delta.chunks[0].data().size());
  return delta;
}

v1::ResourceDelta Change(const Resources& target, const std::string& body, uint64_t first,
                         uint64_t last) {
  v1::ResourceDelta change;
  change.set_kind(target[0]->kind());
  change.set_name(target[0]->name());
  change.set_body(body);
  change.set_sha256(target[0]->sha256());
  change.set_kept_first_bytes(first);
  change.set_kept_last_bytes(last);
  return change;
}

TEST(DeltaTest, OneChangeInALargeResourceCostsWhatItTakes) {
  std::string body;
  for (int i = 0; i < 20'000; ++i) body += "route " + std::to_string(i) + ";";
  const Resources base = Clusters({{"a", body}, {"b", "2"}});
  for (const auto& [at, count, with] :
       std::vector<std::tuple<size_t, size_t, std::string>>{{100'000, 5, "changed"},
                                                            {100'000, 0, "put in"},
                                                            {100'000, 50, ""},
                                                            {0, 3, "at the beginning"},
                                                            {body.size(), 0, "at the end"},
                                                            {0, 0, "twice twice twice"}}) {
    std::string changed = body;
    changed.replace(at, count, with);
    const Resources target = Clusters({{"a", changed}, {"b", "2"}});
    const EncodedDelta delta = EncodeDelta(&base, target, VersionOf(target), ChangedAs::kDelta);
    EXPECT_LT(delta.offer.bytes(), 200u) << with;
    const auto rebuilt = Decode(delta, base);
    ASSERT_TRUE(rebuilt.ok()) << rebuilt.status();
    EXPECT_EQ((*rebuilt)[0]->body(), changed);
  }
}

TEST(DeltaTest, WhatKeepsLittleIsSentWhole) {
  const Resources base = Clusters({{"a", std::string(2000, 'x')}, {"b", "short"}});
  const Resources target =
      Clusters({{"a", std::string(900, 'x') + std::string(1500, 'y')}, {"b", "shore"}});
  const EncodedDelta delta = EncodeDelta(&base, target, VersionOf(target), ChangedAs::kDelta);
  EXPECT_EQ(delta.offer.bytes(), Encode(&base, target).offer.bytes());
  EXPECT_TRUE(Decode(delta, base).ok());
}

TEST(DeltaDecoderTest, AChangeOfWhatIsNotThereIsDataLoss) {
  const std::string body(5000, 'x');
  const Resources base = Clusters({{"a", body}});
  const Resources target = Clusters({{"a", body + "y"}});
  const auto code = [&](const v1::ResourceDelta& change, const Resources& with) {
    return CodeOf(ChangeOf(with, target, change), with);
  };
  EXPECT_EQ(code(Change(target, "y", 5000, 0), base), absl::StatusCode::kOk);
  EXPECT_EQ(code(Change(target, "y", 4000, 0), base), absl::StatusCode::kDataLoss) << "hash";
  EXPECT_EQ(code(Change(target, "y", 5001, 0), base), absl::StatusCode::kDataLoss);
  EXPECT_EQ(code(Change(target, "y", 2501, 2500), base), absl::StatusCode::kDataLoss);
  EXPECT_EQ(code(Change(target, "y", UINT64_MAX, 1), base), absl::StatusCode::kDataLoss);
  EXPECT_EQ(code(Change(target, "y", 1, UINT64_MAX), base), absl::StatusCode::kDataLoss);
  EXPECT_EQ(code(Change(target, "y", 5000, 0), Clusters({{"b", body}})),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(code(Change(target, "y", 5000, 0), {}), absl::StatusCode::kDataLoss);
}

// Each is a few bytes on the wire and 60,000 in memory.
TEST(DeltaDecoderTest, KeepingTheSameAgainAndAgainIsRefused) {
  const std::string body(60'000, 'x');
  const Resources base = Clusters({{"a", body}});
  const Resources target = Clusters({{"a", body + "y"}});
  EncodedDelta delta = ChangeOf(base, target, Change(target, "y", 60'000, 0));
  const std::string once = delta.chunks[0].data();
  for (int i = 0; i < 20; ++i) delta.chunks[0].mutable_data()->append(once);
  delta.offer.set_bytes(delta.chunks[0].data().size());
  EXPECT_EQ(CodeOf(delta, base, 1'000'000), absl::StatusCode::kResourceExhausted);
}

// A decoder of the release before takes a change for a whole resource, and asks for everything.
TEST(DeltaTest, AnOlderDecoderWouldNotTakeAChangeForTheResource) {
  const std::string body(5000, 'x');
  const Resources base = Clusters({{"a", body}});
  const Resources target = Clusters({{"a", body + "y"}});
  v1::Resource read;
  ASSERT_TRUE(read.ParseFromString(Change(target, "y", 5000, 0).SerializeAsString()));
  EXPECT_NE(read.sha256(), ResourceHash(read.kind(), read.name(), read.body()));
}

TEST(DeltaTest, RandomSnapshotsSurviveTheRoundTrip) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    base::Random random(seed);
    const Resources base = RandomSnapshot(&random);
    const Resources target = RandomSnapshot(&random);
    const auto from_base = Decode(Encode(&base, target), base);
    ASSERT_TRUE(from_base.ok()) << "seed " << seed << ": " << from_base.status();
    const auto by_changes =
        Decode(EncodeDelta(&base, target, VersionOf(target), ChangedAs::kDelta), base);
    ASSERT_TRUE(by_changes.ok()) << "seed " << seed << ": " << by_changes.status();
    const auto from_nothing = Decode(Encode(nullptr, target), {});
    ASSERT_TRUE(from_nothing.ok()) << "seed " << seed << ": " << from_nothing.status();
    ASSERT_EQ(from_base->size(), target.size());
    for (size_t i = 0; i < target.size(); ++i) {
      ASSERT_EQ((*from_base)[i]->body(), target[i]->body()) << "seed " << seed;
      ASSERT_EQ((*by_changes)[i]->body(), target[i]->body()) << "seed " << seed;
      ASSERT_EQ((*from_nothing)[i]->name(), target[i]->name()) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace sluice::snapshot
