#include "dataplane/listener/seats.h"

#include <gtest/gtest.h>

namespace sluice::listener {
namespace {

TEST(SeatsTest, OneWorkerKeepsAll) {
  Seats seats(1);
  seats.open(0) = 1000;
  EXPECT_EQ(seats.BestFor(0), 0u);
}

TEST(SeatsTest, TheOneWithFewestGetsIt) {
  Seats seats(3);
  EXPECT_EQ(seats.BestFor(2), 2u) << "nobody has fewer";
  seats.open(0) = 5;
  seats.open(1) = 2;
  seats.open(2) = 4;
  EXPECT_EQ(seats.BestFor(0), 1u);
  EXPECT_EQ(seats.BestFor(1), 1u);
  EXPECT_EQ(seats.BestFor(2), 1u);
  EXPECT_EQ(seats.total(), 11u);
}

TEST(SeatsTest, AFewMoreAmongManyAreTolerated) {
  Seats seats(2);
  seats.open(0) = 1125;
  seats.open(1) = 1000;
  EXPECT_EQ(seats.BestFor(0), 0u);
  seats.open(0) = 1126;
  EXPECT_EQ(seats.BestFor(0), 1u);
}

TEST(SeatsTest, EachOneAfterTheOtherIsEven) {
  Seats seats(4);
  for (int i = 0; i < 40; ++i) ++seats.open(seats.BestFor(0));  // The kernel's choice is always 0.
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(seats.open(i), 10, 1);
}

}  // namespace
}  // namespace sluice::listener
