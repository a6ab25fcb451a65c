#include "controlplane/trust/failure_limiter.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sluice::trust {
namespace {

TEST(FailureLimiterTest, ABurstIsForgivenAndThenOneASecond) {
  FailureLimiter limiter(3, 1);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(limiter.Allows("a", 0));
    limiter.NoteFailure("a", 0);
  }
  EXPECT_FALSE(limiter.Allows("a", 0));
  EXPECT_FALSE(limiter.Allows("a", 999));
  EXPECT_TRUE(limiter.Allows("a", 1000));
  EXPECT_TRUE(limiter.Allows("b", 0));
  // Whoever goes on failing has to wait no longer than that.
  for (int i = 0; i < 100; ++i) limiter.NoteFailure("a", 1000);
  EXPECT_FALSE(limiter.Allows("a", 1500));
  EXPECT_TRUE(limiter.Allows("a", 2000));
}

TEST(FailureLimiterTest, MemoryIsBounded) {
  FailureLimiter limiter(1, 0.001);
  limiter.NoteFailure("first", 0);
  for (size_t i = 0; i < 2 * FailureLimiter::kAddressesMax; ++i) {
    limiter.NoteFailure(fmt::format("{}", i), 1);
  }
  EXPECT_EQ(limiter.size(), FailureLimiter::kAddressesMax);
  EXPECT_TRUE(limiter.Allows("first", 1));
  EXPECT_FALSE(limiter.Allows(fmt::format("{}", 2 * FailureLimiter::kAddressesMax - 1), 1));
}

TEST(FailureLimiterTest, AHostIsOneAddressWhateverItsPort) {
  EXPECT_EQ(AddressOfPeer("ipv4:10.0.0.1:1"), AddressOfPeer("ipv4:10.0.0.1:2"));
  EXPECT_NE(AddressOfPeer("ipv4:10.0.0.1:1"), AddressOfPeer("ipv4:10.0.0.2:1"));
  EXPECT_EQ(AddressOfPeer("ipv6:%5B2001:db8::1%5D:1"), AddressOfPeer("ipv6:%5B2001:db8::2%5D:9"));
  EXPECT_NE(AddressOfPeer("ipv6:%5B2001:db8::1%5D:1"), AddressOfPeer("ipv6:%5B2001:db9::1%5D:1"));
  EXPECT_EQ(AddressOfPeer("ipv4:10.0.0.1:1"), AddressOfPeer("ipv6:%5B::ffff:10.0.0.1%5D:7"));
  EXPECT_EQ(AddressOfPeer("unix:/x"), "unix:/x");
}

}  // namespace
}  // namespace sluice::trust
