#include "tools/sluicectl/tar_gz.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>

#include "tools/sluicectl/testing.h"

namespace sluice::sluicectl {
namespace {

std::string OutputOf(const std::string& command) {
  std::string output;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return "cannot run " + command;
  std::array<char, 4096> buffer;
  for (size_t count; (count = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    output.append(buffer.data(), count);
  }
  const int status = ::pclose(pipe);
  return status == 0 ? output : output + "status " + std::to_string(status);
}

TEST(TarGzTest, TarReadsItBack) {
  const std::string deep = std::string(90, 'd') + "/" + std::string(60, 'e') + "/name.txt";
  const auto archive = MakeTarGz({{"a/empty", ""},
                                  {"a/block", std::string(512, 'x')},
                                  {deep, "deep\n"},
                                  {"a/large", std::string(100'000, 'y')}},
                                 1'700'000'000);
  ASSERT_TRUE(archive.ok()) << archive.status();
  const TestFolder folder;
  const std::string path = folder.Write("a.tar.gz", *archive);
  EXPECT_EQ(OutputOf("TZ=UTC tar --numeric-owner -tvzf " + path + " 2>&1"),
            "-rw------- 0/0               0 2023-11-14 22:13 a/empty\n"
            "-rw------- 0/0             512 2023-11-14 22:13 a/block\n"
            "-rw------- 0/0               5 2023-11-14 22:13 " +
                deep +
                "\n"
                "-rw------- 0/0          100000 2023-11-14 22:13 a/large\n");
  EXPECT_EQ(OutputOf("tar -xOzf " + path + " " + deep + " 2>&1"), "deep\n");
  EXPECT_EQ(OutputOf("tar -xOzf " + path + " a/large 2>&1"), std::string(100'000, 'y'));
}

TEST(TarGzTest, PathsThatDoNotFitAreRefused) {
  EXPECT_FALSE(MakeTarGz({{std::string(101, 'x'), ""}}, 0).ok());
  EXPECT_FALSE(MakeTarGz({{std::string(160, 'x') + "/y", ""}}, 0).ok());
  EXPECT_FALSE(MakeTarGz({{"x/" + std::string(101, 'y'), ""}}, 0).ok());
}

}  // namespace
}  // namespace sluice::sluicectl
