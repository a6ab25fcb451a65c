#include "common/base/version.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::base {
namespace {

TEST(VersionTest, IsANumberAndBuildInfoStartsWithIt) {
  EXPECT_THAT(std::string(Version()), testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
  EXPECT_THAT(BuildInfo(), testing::StartsWith(std::string(Version()) + " ("));
}

}  // namespace
}  // namespace sluice::base
