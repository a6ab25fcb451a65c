#include "dataplane/exchange/trace_context.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::exchange {
namespace {

constexpr char kReceived[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

std::string Write(std::string_view received, bool* continued) {
  base::Random random(3);
  std::string out(kTraceparentChars, ' ');
  *continued = WriteTraceparent(received, random, out.data());
  return out;
}

TEST(TraceContextTest, ContinuesAValidTraceWithASpanOfItsOwn) {
  bool continued = false;
  const std::string out = Write(kReceived, &continued);
  EXPECT_TRUE(continued);
  EXPECT_EQ(out.substr(0, 36), std::string(kReceived).substr(0, 36));
  EXPECT_NE(out.substr(36, 16), std::string(kReceived).substr(36, 16));
  EXPECT_EQ(out.substr(52), "-00");
}

TEST(TraceContextTest, BeginsATraceWhereThereIsNoneOrABadOne) {
  const std::string bad[] = {
      "",
      "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
      "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
      "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
      "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
      "zz-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  };
  for (const std::string& received : bad) {
    bool continued = true;
    const std::string out = Write(received, &continued);
    EXPECT_FALSE(continued) << received;
    EXPECT_EQ(out.substr(0, 3), "00-");
    EXPECT_EQ(out.substr(52), "-01");
    bool again = false;
    Write(out, &again);  // What we begin, others can continue.
    EXPECT_TRUE(again);
  }
}

TEST(TraceContextTest, ALaterVersionMayCarryMore) {
  bool continued = false;
  const std::string out =
      Write("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", &continued);
  EXPECT_TRUE(continued);
  EXPECT_EQ(out.substr(0, 3), "00-");
}

}  // namespace
}  // namespace sluice::exchange
