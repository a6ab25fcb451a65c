#include "dataplane/overload/process_limits.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace sluice::overload {
namespace {

class MemoryLimitTest : public ::testing::Test {
 protected:
  MemoryLimitTest() : root_(::testing::TempDir() + "sluice_limits_" + std::to_string(getpid())) {
    Write("/proc/meminfo", "MemTotal:       1000 kB\nMemFree:        10 kB\n");
  }
  ~MemoryLimitTest() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    const std::filesystem::path file(root_ + path);
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  uint64_t Read() { return MemoryLimit(root_, root_ + "/self"); }

  const std::string root_;
};

TEST_F(MemoryLimitTest, IsTheMachinesWithoutGroups) { EXPECT_EQ(Read(), 1'024'000u); }

TEST_F(MemoryLimitTest, IsTheLeastOfTheGroupsAbove) {
  Write("/self/cgroup", "1:name=systemd:/x\n0::/outer/inner\n");
  Write("/sys/fs/cgroup/outer/inner/memory.max", "max\n");
  EXPECT_EQ(Read(), 1'024'000u);
  Write("/sys/fs/cgroup/outer/memory.max", "5000\n");
  EXPECT_EQ(Read(), 5000u);
  Write("/sys/fs/cgroup/outer/inner/memory.max", "4000\n");
  EXPECT_EQ(Read(), 4000u);
}

TEST_F(MemoryLimitTest, IsNeverAboveTheMachines) {
  Write("/self/cgroup", "0::/\n");
  Write("/sys/fs/cgroup/memory.max", "999999999999\n");
  EXPECT_EQ(Read(), 1'024'000u);
}

TEST(DescriptorsForClientsTest, LeavesSomeForTheRest) {
  EXPECT_EQ(DescriptorsForClients(20), 10u);
  EXPECT_EQ(DescriptorsForClients(256), 192u);
  EXPECT_EQ(DescriptorsForClients(8000), 7000u);
  EXPECT_EQ(DescriptorsForClients(1'048'576), 1'044'480u);
  EXPECT_EQ(DescriptorsForClients(UINT64_MAX), UINT64_MAX);
  EXPECT_EQ(DescriptorsForUpstreams(20), 15u);
  EXPECT_EQ(DescriptorsForUpstreams(256), 224u);
  EXPECT_EQ(DescriptorsForUpstreams(1'048'576), 1'048'544u);
  EXPECT_EQ(DescriptorsForUpstreams(UINT64_MAX), UINT64_MAX);
}

}  // namespace
}  // namespace sluice::overload
