// What one process knows of endpoints, in the process that takes its place.
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "dataplane/upstream/health_monitor.h"
#include "dataplane/upstream/health_threshold.h"
#include "dataplane/upstream/outlier_monitor.h"
#include "dataplane/upstream/slow_start.h"

namespace sluice::upstream {
namespace {

class HealthHandoverTest : public testing::Test {
 protected:
  HealthHandoverTest() {
    cluster_.set_name("users");
    cluster_.mutable_health_check()->set_interval_ms(1000);
    cluster_.mutable_health_check()->set_initially_unhealthy(true);
    endpoint_ = cluster_.add_endpoints();
    endpoint_->set_address("127.0.0.1:1");
  }
  std::shared_ptr<EndpointHealth> Watch(HealthMonitor& monitor) {
    return monitor.Watch(cluster_, *endpoint_, nullptr);
  }

  // Never run: nothing is checked.
  boost::asio::io_context context_;
  HealthMonitor old_{context_, nullptr}, new_{context_, nullptr};
  v1::Cluster cluster_;
  v1::Endpoint* endpoint_;
};

TEST_F(HealthHandoverTest, AnEndpointBeginsWhereItHadGotTo) {
  const auto before = Watch(old_);
  before->Set(true, "status 200", 1234);
  before->NoteChecked();
  new_.Restore(old_.Save());
  const uint64_t changes = EndpointHealth::Changes();
  const auto after = Watch(new_);
  EXPECT_NE(EndpointHealth::Changes(), changes);
  EXPECT_TRUE(after->usable());
  EXPECT_TRUE(after->checked());
  EXPECT_EQ(after->status().reason, "status 200");
  EXPECT_EQ(after->status().since_unix_ms, 1234);
  // And a sick one.
  before->Set(false, "status 500", 5678);
  after->Set(true, "", 1);
  HealthMonitor next(context_, nullptr);
  next.Restore(old_.Save());
  EXPECT_FALSE(Watch(next)->healthy());
  EXPECT_EQ(Watch(next)->status().reason, "status 500");
  EXPECT_EQ(Watch(next)->status().since_unix_ms, 5678);
}

TEST_F(HealthHandoverTest, UnderAnotherCheckItBeginsAnew) {
  const auto before = Watch(old_);
  before->Set(true, "status 200", 1234);
  before->NoteChecked();
  before->Eject("5 failures in a row", 1, INT64_MAX);
  new_.Restore(old_.Save());
  v1::HealthCheck& check = *cluster_.mutable_health_check();
  check.set_http_path("/other");
  EXPECT_FALSE(Watch(new_)->healthy());
  EXPECT_FALSE(Watch(new_)->ejected());
  EXPECT_FALSE(Watch(new_)->checked());
  check.clear_http_path();
  check.set_warm_up_ms(77);  // How long others wait for it is not part of it.
  EXPECT_TRUE(Watch(new_)->healthy());
  cluster_.set_name("others");
  EXPECT_FALSE(Watch(new_)->healthy());
}

TEST_F(HealthHandoverTest, OnlyTheFirstSnapshotBeginsWithIt) {
  Watch(old_)->Set(true, "status 200", 1234);
  new_.Restore(old_.Save());
  new_.ForgetRestored();
  EXPECT_FALSE(Watch(new_)->healthy());
}

TEST_F(HealthHandoverTest, AnEjectionLastsAsLongAsItWasTo) {
  const auto before = Watch(old_);
  before->Set(true, "status 200", 1000);
  before->Eject("5 failures in a row", 2000, 9000);
  before->ejections() = 3;
  new_.Restore(old_.Save());
  const auto after = Watch(new_);
  EXPECT_TRUE(after->ejected());
  EXPECT_TRUE(after->healthy());
  EXPECT_EQ(after->status().reason, "5 failures in a row");
  EXPECT_EQ(after->status().since_unix_ms, 2000);
  EXPECT_EQ(after->ejections(), 3u);
  after->Readmit(8999);
  EXPECT_TRUE(after->ejected());
  after->Readmit(9000);
  EXPECT_TRUE(after->usable());
}

TEST_F(HealthHandoverTest, WhoIsWatchedAlreadyTakesOverEjectionsOnly) {
  const auto before = Watch(old_), after = Watch(new_);
  before->Set(true, "status 200", 1000);
  before->Eject("5 failures in a row", 2000, 9000);
  new_.Restore(old_.Save());
  EXPECT_FALSE(after->healthy());
  EXPECT_TRUE(after->ejected());
}

TEST_F(HealthHandoverTest, ADetectorGoesOnWithAnEjectionThatWasHandedOver) {
  cluster_.mutable_outlier_detection()->set_max_ejected_percent(50);
  cluster_.mutable_health_check()->clear_initially_unhealthy();
  cluster_.add_endpoints()->set_address("127.0.0.1:2");
  endpoint_ = cluster_.mutable_endpoints(0);
  Watch(old_)->Eject("5 failures in a row", 2000, INT64_MAX);
  new_.Restore(old_.Save());
  std::vector<std::shared_ptr<EndpointHealth>> endpoints{
      Watch(new_), new_.Watch(cluster_, cluster_.endpoints(1), nullptr)};
  OutlierMonitor monitor(context_, nullptr);
  OutlierSettings settings{.consecutive_failures = 1, .max_ejected_percent = 50};
  OutlierDetector detector(settings, endpoints);
  detector.Tick(3000);
  EXPECT_TRUE(endpoints[0]->ejected());
  detector.Failed(1, 3000);  // One of two is out: no more.
  EXPECT_FALSE(endpoints[1]->ejected());
  // Without outlier detection nobody is out.
  cluster_.clear_outlier_detection();
  EXPECT_EQ(monitor.Watch(cluster_, endpoints), nullptr);
  EXPECT_FALSE(endpoints[0]->ejected());
}

TEST_F(HealthHandoverTest, SlowStartDoesNotBeginAnew) {
  const EndpointHealth before(true, base::MonotonicMicros() - 60'000'000);
  v1::HandoverHealth saved;
  before.Save(&saved);
  EndpointHealth after(true);
  after.Restore(saved);
  std::vector<EndpointLoad> loads{{.health = &after}};
  SlowStart slow(io::Millis(30'000));
  slow.Apply(loads, base::MonotonicMicros(), [](size_t) { return 1u; });
  EXPECT_EQ(loads[0].weight, SlowStart::kScale);
}

TEST(HealthThresholdTest, AnotherProcessGoesOnCounting) {
  v1::HealthCheck check;
  check.set_unhealthy_after(3);
  check.set_healthy_after(2);
  HealthThreshold before(check), after(check);
  before.Observe(false);
  before.Observe(false);
  v1::HandoverHealth saved;
  saved.set_healthy(before.healthy());
  before.Save(&saved);
  after.Restore(saved);
  EXPECT_TRUE(after.healthy());
  EXPECT_FALSE(after.Observe(false));
  // Who began unhealthy and has passed once is not let in by a single check again.
  check.set_initially_unhealthy(true);
  HealthThreshold passed(check), next(check);
  passed.Observe(true);
  for (int i = 0; i < 3; ++i) passed.Observe(false);
  saved.set_healthy(passed.healthy());
  passed.Save(&saved);
  next.Restore(saved);
  EXPECT_FALSE(next.Observe(true));
  EXPECT_TRUE(next.Observe(true));
}

}  // namespace
}  // namespace sluice::upstream
