// A process that stores versions is killed at any moment: what it was told is stored is there.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/random.h"
#include "controlplane/store/testing_folder.h"
#include "controlplane/store/testing_versions.h"
#include "controlplane/store/version_store.h"

namespace sluice::store {
namespace {

using testing::Clusters;
using testing::DocumentOf;
using testing::Folder;
using testing::VersionOf;

constexpr int kRounds = 40;

struct Acknowledged {
  uint64_t revision = 0;
  bool current = false;
};

// In the child: stores until it is killed, telling of each success only after it.
[[noreturn]] void StoreForEver(const std::string& path, int out, uint64_t seed) {
  auto store = VersionStore::Open(path);
  if (!store.ok()) _exit(3);
  for (uint64_t i = 0;; ++i) {
    const std::string content = fmt::format("{}-{}", seed, i);
    const snapshot::Resources resources = Clusters(20, content);
    StoredVersion version = VersionOf(resources, content);
    if (!(*store)->Add(&version, resources, DocumentOf(content)).ok()) _exit(4);
    Acknowledged told{version.version.revision(), false};
    if (write(out, &told, sizeof told) != sizeof told) _exit(5);
    if (!(*store)->SetState(told.revision, VersionState::kCurrent).ok()) _exit(6);
    told.current = true;
    if (write(out, &told, sizeof told) != sizeof told) _exit(5);
    if (!(*store)->Prune().ok()) _exit(7);
  }
}

// Kills it after some acknowledgements and a moment more; the last two told.
std::vector<Acknowledged> RunAndKill(const std::string& path, base::Random& random) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const uint64_t seed = random.Next();
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    StoreForEver(path, ends[1], seed);
  }
  close(ends[1]);
  std::vector<Acknowledged> told;
  Acknowledged one;
  const size_t enough = 1 + random.Below(40);
  while (told.size() < enough && read(ends[0], &one, sizeof one) == sizeof one) {
    told.push_back(one);
  }
  for (uint64_t spin = random.Below(200'000); spin > 0; --spin) asm volatile("");
  kill(child, SIGKILL);
  while (read(ends[0], &one, sizeof one) == sizeof one) told.push_back(one);
  close(ends[0]);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << WEXITSTATUS(status);
  return told;
}

TEST(StoreCrashTest, EveryAcknowledgedVersionIsThereAfterAKill) {
  Folder folder;
  const uint64_t seed = base::RandomSeed();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  base::Random random(seed);
  uint64_t last = 0;
  for (int round = 0; round < kRounds; ++round) {
    SCOPED_TRACE(fmt::format("round {}", round));
    const std::vector<Acknowledged> told = RunAndKill(folder.path(), random);
    ASSERT_FALSE(told.empty());
    auto store = VersionStore::Open(folder.path());
    ASSERT_TRUE(store.ok()) << store.status();
    uint64_t current = 0;
    for (const Acknowledged& one : told) {
      ASSERT_GT(one.revision, last) << "revisions only grow";
      if (one.current) {
        current = one.revision;
        last = one.revision;
      }
      const auto version = (*store)->Get(one.revision);
      const auto resources = (*store)->Resources(one.revision);
      const auto document = (*store)->Document(one.revision);
      ASSERT_TRUE(version.ok() && resources.ok() && document.ok()) << version.status();
      ASSERT_EQ(snapshot::RootOf(*resources), version->version.root());
      ASSERT_EQ(document->files(0).content(), version->message);
    }
    if (current != 0) {
      ASSERT_GE((*store)->Current()->version.revision(), current);
    }
    // The last write may have reached the disk without its acknowledgement.
    last = std::max(last, (*store)->List(1)->front().version.revision());
  }
}

}  // namespace
}  // namespace sluice::store
