// Documents made to crash, hang or fill the memory get an error instead, or their right meaning.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "controlplane/build/testing_documents.h"

namespace sluice::build {
namespace {

using testing_documents::Build;
using testing_documents::DocumentOf;

constexpr size_t kLarge = 32 * 1024 * 1024 - 1024;
constexpr int64_t kMemoryMaxKb = 256 * 1024;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // Whose own memory counts as ours.
#else
constexpr bool kSanitized = false;
#endif

std::string Repeated(std::string_view piece, size_t bytes) {
  std::string text;
  text.reserve(bytes);
  while (text.size() + piece.size() <= bytes) text += piece;
  return text;
}

// A fleet's worth of routes with an upstream each, as many as the limits let through and then some.
std::string ManyUpstreams(int routes) {
  std::string text = "services:\n- name: a\n  bind_address: 1.1.1.1:1\n  routes:\n";
  for (int i = 0; i < routes; ++i) {
    text += fmt::format(
        "  - {{name: r{0}, path_prefix: /{0}, upstreams: [{{name: u{0}, nodes: [{{addr: "
        "'1.1.1.1:1'}}]}}]}}\n",
        i);
  }
  return text;
}

struct Hostile {
  std::string name;
  std::string (*make)();
};

class HostileDocumentsTest : public testing::TestWithParam<Hostile> {};

// In a child of its own, so that its peak is its own.
TEST_P(HostileDocumentsTest, IsRefusedWithinTheMemoryAllowed) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const BuildResult result = Build(DocumentOf(GetParam().make()));
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    if (result.ok() || result.problems.empty()) _exit(2);
    if (!kSanitized && usage.ru_maxrss > kMemoryMaxKb) _exit(3);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << "killed by signal " << WTERMSIG(status);
  EXPECT_NE(WEXITSTATUS(status), 2) << "it was accepted";
  EXPECT_NE(WEXITSTATUS(status), 3) << "it took more than 256 MB";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Large, HostileDocumentsTest,
    testing::Values(Hostile{"Brackets", [] { return std::string(10 << 20, '['); }},
                    Hostile{"Flow", [] { return "[" + Repeated("a,", kLarge); }},
                    Hostile{"FlowMapping", [] { return "{" + Repeated("a: b,", kLarge); }},
                    Hostile{"List", [] { return Repeated("- a\n", kLarge); }},
                    Hostile{"Anchors", [] { return Repeated("- &a x\n", kLarge); }},
                    Hostile{"Scalar", [] { return "a: " + std::string(kLarge, 'x'); }},
                    Hostile{"Comment", [] { return "#" + std::string(kLarge, 'x'); }},
                    Hostile{"Newlines", [] { return std::string(kLarge, '\n'); }},
                    Hostile{"Tabs", [] { return Repeated("\tx\n", kLarge); }},
                    Hostile{"Dashes", [] { return Repeated("- ", kLarge); }},
                    Hostile{"Crlf", [] { return Repeated("a: 1\r\n", kLarge); }},
                    Hostile{"EmptyServices",
                            [] { return "services:\n" + Repeated("- {}\n", kLarge); }},
                    Hostile{"Nodes",
                            [] {
                              return "upstreams:\n- name: u\n  nodes:\n" +
                                     Repeated("  - addr: 1.1.1.1:1\n", kLarge);
                            }},
                    Hostile{"Upstreams", [] { return ManyUpstreams(99'000); }},
                    Hostile{"TooLarge", [] { return std::string(33 << 20, ' '); }}),
    [](const testing::TestParamInfo<Hostile>& hostile) { return hostile.param.name; });

TEST(HostileCorpusTest, EveryFileIsRefusedWithAPlace) {
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator("tests/corpus/yaml-hostile")) {
    const BuildResult result =
        Build(DocumentOf(testing_documents::FileText(entry.path().string())));
    EXPECT_FALSE(result.ok()) << entry.path();
    EXPECT_TRUE(result.resources.empty()) << entry.path();
    ++files;
  }
  EXPECT_GE(files, 15u);
}

}  // namespace
}  // namespace sluice::build
