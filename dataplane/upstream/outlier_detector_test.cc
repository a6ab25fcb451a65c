#include "dataplane/upstream/outlier_detector.h"

#include <gtest/gtest.h>

#include <thread>

namespace sluice::upstream {
namespace {

using std::chrono::milliseconds;

class OutlierDetectorTest : public testing::Test {
 protected:
  void Make(const OutlierSettings& settings, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      endpoints_.push_back(std::make_shared<EndpointHealth>(true));
    }
    detector_ = std::make_unique<OutlierDetector>(settings, endpoints_);
    detector_->Tick(now_);
  }
  void Fail(size_t endpoint, int times) {
    for (int i = 0; i < times; ++i) detector_->Failed(endpoint, now_);
  }
  void Succeed(size_t endpoint, int times, int64_t micros = 1000) {
    for (int i = 0; i < times; ++i) detector_->Succeeded(endpoint, micros);
  }
  void Pass(milliseconds time) {
    now_ += time.count();
    detector_->Tick(now_);
  }
  bool Ejected(size_t endpoint) { return endpoints_[endpoint]->ejected(); }

  int64_t now_ = 1'000'000;
  std::vector<std::shared_ptr<EndpointHealth>> endpoints_;
  std::unique_ptr<OutlierDetector> detector_;
};

TEST_F(OutlierDetectorTest, FailuresInARowEject) {
  Make({.consecutive_failures = 3}, 3);
  Fail(0, 2);
  Succeed(0, 1);
  Fail(0, 2);
  EXPECT_FALSE(Ejected(0));
  Fail(0, 1);
  EXPECT_TRUE(Ejected(0));
  EXPECT_FALSE(endpoints_[0]->usable());
  EXPECT_TRUE(endpoints_[0]->healthy()) << "its checks know nothing of it";
  EXPECT_EQ(endpoints_[0]->status().reason, "ejected for 30 s: 3 failures in a row");
  EXPECT_EQ(detector_->ejections_total(OutlierReason::kConsecutiveFailures), 1u);
}

TEST_F(OutlierDetectorTest, ConnectionsCountInARowAndInNoInterval) {
  Make({.consecutive_failures = 3,
        .interval = milliseconds(10'000),
        .success_deviations_percent = 100,
        .requests_min = 10},
       3);
  const auto fail = [this](size_t endpoint, int times) {
    for (int i = 0; i < times; ++i) detector_->ConnectFailed(endpoint, now_);
  };
  Pass(milliseconds(1));
  for (size_t i = 0; i < 3; ++i) Succeed(i, 20);
  for (int i = 0; i < 20; ++i) {
    fail(0, 2);
    detector_->Connected(0);
  }
  Pass(milliseconds(10'000));
  EXPECT_FALSE(Ejected(0));
  fail(0, 3);
  EXPECT_TRUE(Ejected(0));
}

TEST_F(OutlierDetectorTest, TimeBringsItBackAndRepetitionTakesLonger) {
  Make({.consecutive_failures = 1, .interval = milliseconds(3'600'000)}, 3);
  Fail(0, 1);
  Pass(milliseconds(29'999));
  EXPECT_TRUE(Ejected(0));
  Pass(milliseconds(1));
  EXPECT_FALSE(Ejected(0));
  Fail(0, 1);
  Pass(milliseconds(59'999));
  EXPECT_TRUE(Ejected(0));
  Pass(milliseconds(1));
  EXPECT_FALSE(Ejected(0));
}

TEST_F(OutlierDetectorTest, QuietIntervalsForgive) {
  Make({.consecutive_failures = 1, .interval = milliseconds(10'000)}, 3);
  Fail(0, 1);
  Pass(milliseconds(30'000));
  Pass(milliseconds(10'000));
  Fail(0, 1);
  EXPECT_EQ(endpoints_[0]->status().reason, "ejected for 30 s: 1 failures in a row");
}

TEST_F(OutlierDetectorTest, NeverMoreThanTheCap) {
  Make({.consecutive_failures = 1, .max_ejected_percent = 50}, 4);
  for (size_t i = 0; i < 4; ++i) Fail(i, 1);
  EXPECT_EQ(Ejected(0) + Ejected(1) + Ejected(2) + Ejected(3), 2);
}

TEST_F(OutlierDetectorTest, TheOnlyOneStays) {
  Make({.consecutive_failures = 1, .max_ejected_percent = 99}, 1);
  Fail(0, 100);
  EXPECT_FALSE(Ejected(0));
}

TEST_F(OutlierDetectorTest, TheLastUsableOneStays) {
  Make({.consecutive_failures = 1, .max_ejected_percent = 50}, 4);
  for (size_t i = 1; i < 4; ++i) endpoints_[i]->Set(false, "refused", now_);
  Fail(0, 10);
  EXPECT_FALSE(Ejected(0));
  endpoints_[3]->Set(true, "", now_);
  Fail(0, 1);
  EXPECT_TRUE(Ejected(0));
}

TEST_F(OutlierDetectorTest, NoEjectionBringsPanic) {
  Make({.consecutive_failures = 1, .max_ejected_percent = 99, .panic_threshold_percent = 50}, 4);
  endpoints_[3]->Set(false, "refused", now_);
  for (size_t i = 0; i < 3; ++i) Fail(i, 10);
  EXPECT_TRUE(Ejected(0));
  EXPECT_FALSE(Ejected(1)) << "a quarter would be left, and the one that is refused be used";
  EXPECT_FALSE(Ejected(2));
}

TEST_F(OutlierDetectorTest, TheCapHoldsForManyThreads) {
  Make({.consecutive_failures = 1, .max_ejected_percent = 30}, 10);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([this] {
      for (size_t i = 0; i < 10; ++i) detector_->Failed(i, now_);
    });
  }
  for (std::thread& thread : threads) thread.join();
  int out = 0;
  for (size_t i = 0; i < 10; ++i) out += Ejected(i);
  EXPECT_EQ(out, 3);
}

TEST_F(OutlierDetectorTest, SuccessFarBelowTheMean) {
  Make({.consecutive_failures = 0, .success_deviations_percent = 150}, 5);
  for (size_t i = 0; i < 5; ++i) Succeed(i, 100);
  Fail(4, 60);
  Fail(3, 2);
  Pass(milliseconds(10'000));
  EXPECT_TRUE(Ejected(4));
  EXPECT_FALSE(Ejected(3));
  EXPECT_EQ(detector_->ejections_total(OutlierReason::kSuccessRate), 1u);
}

TEST_F(OutlierDetectorTest, FewRequestsProveNothing) {
  Make({.consecutive_failures = 0, .success_deviations_percent = 150}, 5);
  for (size_t i = 0; i < 4; ++i) Succeed(i, 100);
  Fail(4, 60);
  Pass(milliseconds(10'000));
  EXPECT_FALSE(Ejected(4));
}

TEST_F(OutlierDetectorTest, AnswersFarSlowerThanTheOthers) {
  Make({.latency_percent = 300}, 4);
  for (size_t i = 0; i < 3; ++i) Succeed(i, 100, 1000);
  Succeed(3, 100, 3500);
  Pass(milliseconds(10'000));
  EXPECT_TRUE(Ejected(3));
  EXPECT_EQ(endpoints_[3]->status().reason,
            "ejected for 30 s: 3.5 ms to its responses, the others' median is 1.0 ms");
}

TEST_F(OutlierDetectorTest, WhoIsOutrunIsSlow) {
  Make({.latency_percent = 300}, 4);
  for (size_t i = 0; i < 3; ++i) Succeed(i, 100, 1000);
  for (int i = 0; i < 100; ++i) detector_->Outrun(3, 3500);
  Pass(milliseconds(10'000));
  EXPECT_TRUE(Ejected(3));
}

TEST_F(OutlierDetectorTest, ToBeOutrunIsNeitherAFailureNorASuccess) {
  Make({.consecutive_failures = 5}, 4);
  Fail(3, 4);
  detector_->Outrun(3, 3500);
  EXPECT_FALSE(Ejected(3));
  Fail(3, 1);
  EXPECT_TRUE(Ejected(3));
}

TEST_F(OutlierDetectorTest, AllSlowIsNobodysFault) {
  Make({.latency_percent = 300}, 4);
  for (size_t i = 0; i < 4; ++i) Succeed(i, 100, 900'000);
  Pass(milliseconds(10'000));
  for (size_t i = 0; i < 4; ++i) EXPECT_FALSE(Ejected(i));
}

}  // namespace
}  // namespace sluice::upstream
