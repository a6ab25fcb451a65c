#include "common/base/nearest.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace sluice::base {
namespace {

TEST(EditDistanceTest, CountsEachKindOfSlipOnce) {
  EXPECT_EQ(EditDistance("", "abc"), 3);
  EXPECT_EQ(EditDistance("abc", "abc"), 0);
  EXPECT_EQ(EditDistance("abc", "abxc"), 1);
  EXPECT_EQ(EditDistance("abc", "ac"), 1);
  EXPECT_EQ(EditDistance("abc", "axc"), 1);
  EXPECT_EQ(EditDistance("abc", "acb"), 1);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3);
}

constexpr std::array<std::string_view, 6> kKeys = {"name",         "bind_address", "routes",
                                                   "strip_prefix", "path_prefix",  "tls"};

TEST(NearestWordTest, FindsTheSlip) {
  EXPECT_EQ(NearestWord("bind_adress", kKeys), "bind_address");
  EXPECT_EQ(NearestWord("bind-address", kKeys), "bind_address");
  EXPECT_EQ(NearestWord("Routes", kKeys), "routes");
  EXPECT_EQ(NearestWord("ruotes", kKeys), "routes");
  EXPECT_EQ(NearestWord("tsl", kKeys), "tls");
  EXPECT_EQ(NearestWord("path_prefx", kKeys), "path_prefix");
}

TEST(NearestWordTest, DoesNotGuessWildly) {
  EXPECT_EQ(NearestWord("upstreams", kKeys), "");
  EXPECT_EQ(NearestWord("xyz", kKeys), "");
  EXPECT_EQ(NearestWord("", kKeys), "");
  EXPECT_EQ(NearestWord(std::string(1'000'000, 'n'), kKeys), "");
  EXPECT_EQ(NearestWord("name", {}), "");
}

}  // namespace
}  // namespace sluice::base
