#include "controlplane/store/id_list.h"

#include <gtest/gtest.h>

#include <limits>

namespace sluice::store {
namespace {

TEST(IdListTest, ComesBackAsItWas) {
  const int64_t most = std::numeric_limits<int64_t>::max();
  for (const std::vector<int64_t>& ids :
       {std::vector<int64_t>{}, {0}, {1}, {0, 1, 2}, {127, 128, 16511, 16512}, {1, most}, {most}}) {
    const auto decoded = DecodeIds(EncodeIds(ids));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, ids);
  }
}

TEST(IdListTest, NeighboursTakeAByteEach) {
  std::vector<int64_t> ids;
  for (int64_t id = 1'000'000; id < 1'003'000; ++id) ids.push_back(id);
  EXPECT_LT(EncodeIds(ids).size(), 3'010u);
}

TEST(IdListTest, DamageIsFound) {
  const std::string cut = EncodeIds({1000}).substr(0, 1);
  const std::string endless(12, '\xff');
  const std::string twice("\x05\x00", 2);
  const std::string beyond = EncodeIds({std::numeric_limits<int64_t>::max()}) + "\x01";
  for (const std::string& blob : {cut, endless, twice, beyond}) {
    EXPECT_FALSE(DecodeIds(blob).ok());
  }
}

}  // namespace
}  // namespace sluice::store
