#include "dataplane/restart/drain_figures.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "gtest/gtest.h"

namespace sluice::restart {
namespace {

class DrainFiguresTest : public ::testing::Test {
 protected:
  // A draining process and what its successor reads from.
  std::pair<std::unique_ptr<DrainTeller>, HandoverChannel> Drain() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    return {std::make_unique<DrainTeller>(context_, HandoverChannel(base::UniqueFd(ends[0])),
                                          [this] { return totals_; }),
            HandoverChannel(base::UniqueFd(ends[1]))};
  }
  void Count(uint64_t requests) {
    totals_.set_requests(totals_.requests() + requests);
    totals_.mutable_responses_by_class()->Resize(2, 0);
    totals_.set_responses_by_class(1, totals_.responses_by_class(1) + requests);
    totals_.mutable_latency_buckets()->Resize(3, 0);
    totals_.set_latency_buckets(2, totals_.latency_buckets(2) + requests);
    totals_.set_bytes_received(totals_.bytes_received() + 10 * requests);
    totals_.set_bytes_sent(totals_.bytes_sent() + 100 * requests);
  }
  // As long as something is there to read.
  void Poll() {
    do context_.restart();
    while (context_.poll() > 0);
  }
  static v1::Report Added(const DrainingPredecessors& predecessors) {
    v1::Report report;
    report.set_requests_total(1000);
    for (const uint64_t count : {0, 1000}) report.add_responses_by_class(count);
    for (const uint64_t count : {0, 0, 1000}) report.add_latency_buckets(count);
    report.set_downstream_connections(10);
    predecessors.AddTo(&report);
    return report;
  }

  boost::asio::io_context context_;
  v1::HandoverFigures totals_;
  DrainingPredecessors predecessors_{context_};
};

TEST_F(DrainFiguresTest, WhatTheDrainDoesIsAddedAndNothingFromBefore) {
  Count(77);
  totals_.set_connections(5);
  auto [teller, channel] = Drain();
  predecessors_.Follow(std::move(channel));
  Poll();
  EXPECT_EQ(Added(predecessors_).requests_total(), 1000u);
  EXPECT_EQ(Added(predecessors_).downstream_connections(), 15u);
  EXPECT_EQ(Added(predecessors_).draining_processes(), 1u);
  EXPECT_EQ(Added(predecessors_).draining_connections(), 5u);
  Count(3);
  totals_.set_connections(4);
  teller->Tell();
  Count(2);
  totals_.set_connections(1);
  teller->Tell();
  Poll();
  const v1::Report report = Added(predecessors_);
  EXPECT_EQ(report.requests_total(), 1005u);
  EXPECT_EQ(report.downstream_connections(), 11u);
  EXPECT_EQ(report.responses_by_class(1), 1005u);
  EXPECT_EQ(report.latency_buckets(2), 1005u);
  EXPECT_EQ(report.bytes_received_total(), 50u);
  EXPECT_EQ(report.bytes_sent_total(), 500u);
  // It ends: what it did stays counted, what it had open does not.
  Count(1);
  teller->Tell();
  teller.reset();
  Poll();
  EXPECT_EQ(Added(predecessors_).draining_processes(), 0u);
  EXPECT_EQ(Added(predecessors_).requests_total(), 1006u);
  EXPECT_EQ(Added(predecessors_).downstream_connections(), 10u);
}

// The successor is replaced in its turn while the first one drains still.
TEST_F(DrainFiguresTest, TheNextSuccessorGoesOnWithoutAGap) {
  auto [teller, channel] = Drain();
  predecessors_.Follow(std::move(channel));
  Count(3);
  teller->Tell();
  Poll();
  EXPECT_EQ(Added(predecessors_).requests_total(), 1003u);
  Count(4);
  teller->Tell();  // Not read yet.
  auto copies = predecessors_.CopyChannels();
  ASSERT_EQ(copies.size(), 1u);
  predecessors_.StopFollowing();
  Poll();
  EXPECT_EQ(Added(predecessors_).requests_total(), 1003u);
  EXPECT_EQ(Added(predecessors_).downstream_connections(), 10u);
  DrainingPredecessors next(context_);
  next.Follow(HandoverChannel(std::move(copies[0])));
  Count(5);
  teller->Tell();
  Poll();
  EXPECT_EQ(Added(next).requests_total(), 1009u);
}

TEST_F(DrainFiguresTest, NobodyWhoReadsHoldsItUpAndNothingIsLost) {
  auto [teller, channel] = Drain();
  for (int i = 0; i < 2000; ++i) {
    Count(1);
    if (i < 300 || i > 1990) teller->Tell();  // Far more than the socket holds, at 10 ms each.
  }
  predecessors_.Follow(std::move(channel));
  Poll();
  Count(1);
  teller->Tell();
  Poll();
  EXPECT_EQ(Added(predecessors_).requests_total(), 3001u);
}

TEST_F(DrainFiguresTest, OtherBucketsAndOtherMessagesDoNoHarm) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  HandoverChannel other{base::UniqueFd(ends[0])};
  predecessors_.Follow(HandoverChannel(base::UniqueFd(ends[1])));
  v1::HandoverMessage message;
  message.mutable_figures()->set_requests(5);
  message.mutable_figures()->add_latency_buckets(5);
  ASSERT_TRUE(other.Send(message).ok());
  Poll();
  EXPECT_EQ(Added(predecessors_).requests_total(), 1005u);
  EXPECT_EQ(Added(predecessors_).latency_buckets(2), 1000u);
  ASSERT_EQ(send(other.fd(), "nonsense", 8, 0), 8);
  Poll();
  EXPECT_EQ(predecessors_.processes(), 0u);
}

}  // namespace
}  // namespace sluice::restart
