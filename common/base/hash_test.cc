#include "common/base/hash.h"

#include <gtest/gtest.h>

#include <bit>
#include <set>
#include <vector>

#include "common/base/random.h"

namespace sluice::base {
namespace {

TEST(Hash64Test, EveryLengthAndByteMatters) {
  std::set<uint64_t> hashes;
  std::string text;
  for (int length = 0; length < 200; ++length) {
    hashes.insert(Hash64(text, 0));
    text += '\0';
  }
  EXPECT_EQ(hashes.size(), 200u);

  for (size_t length = 1; length < 50; ++length) {
    const std::string base(length, 'x');
    const uint64_t hash = Hash64(base, 7);
    for (size_t i = 0; i < length; ++i) {
      std::string changed = base;
      changed[i] = 'y';
      EXPECT_NE(Hash64(changed, 7), hash) << length << ' ' << i;
    }
  }
}

TEST(Hash64Test, OneBitChangesAboutHalfOfTheResult) {
  Random random(5);
  int64_t changed_bits = 0;
  int trials = 0;
  for (size_t length = 1; length <= 40; ++length) {
    std::string text(length, '\0');
    for (char& c : text) c = static_cast<char>(random.Next());
    for (size_t bit = 0; bit < length * 8; ++bit) {
      std::string other = text;
      other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << (bit % 8)));
      changed_bits += std::popcount(Hash64(text, 1) ^ Hash64(other, 1));
      ++trials;
    }
  }
  EXPECT_NEAR(static_cast<double>(changed_bits) / trials, 32.0, 0.5);
}

TEST(Hash64Test, ShortKeysFillBucketsEvenly) {
  std::vector<int> buckets(64);
  for (int i = 0; i < 64'000; ++i) ++buckets[Hash64("10.0.0." + std::to_string(i), 0) % 64];
  for (const int count : buckets) EXPECT_NEAR(count, 1000, 200);
}

// Requests keep their endpoint across releases only while these stay.
TEST(Hash64Test, ResultsAreFixedForEver) {
  EXPECT_EQ(Hash64("", 0), 0x50e3aa9b387dcbedu);
  EXPECT_EQ(Hash64("a", 0), 0xf9ba8b07456805c9u);
  EXPECT_EQ(Hash64("client", 42), 0xa3e911272995f6d8u);
  EXPECT_EQ(Hash64("10.0.1.1:8080", 0), 0xbe09cb8d92c2486bu);
  EXPECT_EQ(Hash64("a text of more than sixteen bytes", 1), 0x3fc175ae3d3a34b5u);
}

TEST(Sha256Test, AgreesWithThePublishedVectors) {
  EXPECT_EQ(HexEncode(Sha256("")),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(HexEncode(Sha256("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256Test, PiecesGiveTheHashOfTheWhole) {
  Sha256Hasher hasher;
  hasher.Update("a");
  hasher.Update("");
  hasher.Update("bc");
  EXPECT_EQ(hasher.Finish(), Sha256("abc"));
}

TEST(HexTest, RoundTripsAndRefusesTheRest) {
  const std::string bytes("\x00\x7f\xff\x10", 4);
  EXPECT_EQ(HexEncode(bytes), "007fff10");
  EXPECT_EQ(HexDecode("007FfF10"), bytes);
  EXPECT_EQ(HexDecode(""), "");
  EXPECT_EQ(HexDecode("abc"), std::nullopt);
  EXPECT_EQ(HexDecode("0g"), std::nullopt);
  EXPECT_EQ(HexDecode("+1"), std::nullopt);
}

}  // namespace
}  // namespace sluice::base
