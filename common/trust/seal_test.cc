#include "common/trust/seal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::trust {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(SealTest, OnlyTheSameKeyAndPurposeOpen) {
  const Sealer sealer(std::string(32, 'k'));
  const std::string plain = "-----BEGIN PRIVATE KEY-----";
  const std::string sealed = sealer.Seal(plain, "a");
  EXPECT_TRUE(Sealer::IsSealed(sealed));
  EXPECT_FALSE(Sealer::IsSealed(plain));
  EXPECT_EQ(Sealer::KeyNameOf(sealed), sealer.key_name());
  EXPECT_EQ(Sealer::KeyNameOf(plain), "");
  EXPECT_EQ(Sealer::KeyNameOf(sealed.substr(0, 20)), "");
  EXPECT_THAT(sealed, Not(HasSubstr("PRIVATE")));
  EXPECT_EQ(sealer.Open(sealed, "a").value(), plain);
  EXPECT_TRUE(absl::IsDataLoss(sealer.Open(sealed, "b").status()));
  const Sealer other(std::string(32, 'o'));
  const absl::Status status = other.Open(sealed, "a").status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(sealer.key_name()), HasSubstr(other.key_name()),
                    HasSubstr("--seal-key-file")));
}

TEST(SealTest, NothingIsSealedTheSameWayTwice) {
  const Sealer sealer(std::string(32, 'k'));
  EXPECT_NE(sealer.Seal("x", ""), sealer.Seal("x", ""));
  EXPECT_EQ(sealer.Open(sealer.Seal("", ""), "").value(), "");
}

TEST(SealTest, AChangedByteAnywhereIsNoticed) {
  const Sealer sealer(std::string(32, 'k'));
  const std::string sealed = sealer.Seal("secret", "p");
  for (size_t at = 0; at < sealed.size(); ++at) {
    std::string changed = sealed;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_FALSE(sealer.Open(changed, "p").ok()) << at;
    EXPECT_FALSE(sealer.Open(sealed.substr(0, at), "p").ok()) << at;
  }
}

}  // namespace
}  // namespace sluice::trust
