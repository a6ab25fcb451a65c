#include "dataplane/runtime/retry_policy.h"

#include <gtest/gtest.h>

namespace sluice::runtime {
namespace {

v1::Forward ForwardOn(std::initializer_list<const char*> conditions) {
  v1::Forward forward;
  for (const char* condition : conditions) forward.mutable_retry()->add_on(condition);
  forward.mutable_retry()->set_backoff_ms(25);
  forward.mutable_retry()->set_backoff_max_ms(250);
  return forward;
}

TEST(RetryPolicyTest, WithoutOneOnlyLostConnectionsAreTriedAgain) {
  const RetryPolicy policy{v1::Forward()};
  EXPECT_EQ(policy.attempts_max, 3u);
  EXPECT_TRUE(policy.on(RetryCondition::kConnectFailure));
  EXPECT_TRUE(policy.on(RetryCondition::kReset));
  EXPECT_FALSE(policy.on(RetryCondition::kTimeout));
  EXPECT_FALSE(policy.OnStatus(503));
  EXPECT_EQ(policy.hedge_after, io::Millis(0));
}

TEST(RetryPolicyTest, HedgesAreAskedFor) {
  v1::Forward forward = ForwardOn({});
  forward.mutable_retry()->set_hedge_after_ms(30);
  EXPECT_EQ(RetryPolicy(forward).hedge_after, io::Millis(30));
}

TEST(RetryPolicyTest, AnEmptyListMeansNothing) {
  v1::Forward forward;
  forward.mutable_retry()->set_attempts(2);
  const RetryPolicy policy{forward};
  EXPECT_EQ(policy.attempts_max, 2u);
  EXPECT_FALSE(policy.on(RetryCondition::kConnectFailure));
}

TEST(RetryPolicyTest, StatusesByWordAndByNumber) {
  const RetryPolicy gateway(ForwardOn({"gateway_error"}));
  EXPECT_TRUE(gateway.OnStatus(502));
  EXPECT_TRUE(gateway.OnStatus(504));
  EXPECT_FALSE(gateway.OnStatus(500));
  EXPECT_FALSE(gateway.OnStatus(505));
  const RetryPolicy all(ForwardOn({"5xx", "429"}));
  EXPECT_TRUE(all.OnStatus(500));
  EXPECT_TRUE(all.OnStatus(429));
  EXPECT_FALSE(all.OnStatus(428));
  EXPECT_FALSE(all.OnStatus(200));
}

TEST(RetryPolicyTest, BackoffDoublesUpToItsLimit) {
  const RetryPolicy policy(ForwardOn({"5xx"}));
  EXPECT_EQ(policy.BackoffAfter(1), io::Millis(25));
  EXPECT_EQ(policy.BackoffAfter(2), io::Millis(50));
  EXPECT_EQ(policy.BackoffAfter(4), io::Millis(200));
  EXPECT_EQ(policy.BackoffAfter(5), io::Millis(250));
  EXPECT_EQ(policy.BackoffAfter(1000), io::Millis(250));
}

}  // namespace
}  // namespace sluice::runtime
