#include "controlplane/source/file_watcher.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>

namespace sluice::source {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

// No sane wait is as long; a test that needs it fails.
constexpr std::chrono::seconds kDeadline{30};

class FileWatcherTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "/sluice-watch-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    watcher_.reset();
    fs::remove_all(folder_);
  }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }

  static void Write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::trunc) << text;
  }
  static void WriteBeside(const std::string& path, const std::string& text) {
    Write(path + ".tmp", text);
    fs::rename(path + ".tmp", path);
  }

  void Watch(const std::string& path, FileWatcherOptions options = {}) {
    path_ = path;
    auto started = FileWatcher::Start(path, options, [this] { return OnChange(); });
    ASSERT_TRUE(started.ok()) << started.status();
    watcher_ = *std::move(started);
  }

  // Waits until a call has read exactly this; false when it never comes.
  bool Saw(const std::string& content) {
    std::unique_lock lock(mutex_);
    return told_.wait_for(lock, kDeadline, [&] { return last_ == content; });
  }
  bool SawCalls(int count) {
    std::unique_lock lock(mutex_);
    return told_.wait_for(lock, kDeadline, [&] { return calls_ >= count; });
  }
  int calls() {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  // What later calls answer.
  void SetNext(WatchNext next) {
    const std::lock_guard lock(mutex_);
    next_ = std::move(next);
  }

  fs::path folder_;

 private:
  static std::string Read(const fs::path& path) {
    std::ifstream in(path);
    if (!in) return "(gone)";
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }

  WatchNext OnChange() {
    std::string content;
    if (fs::is_directory(path_)) {
      std::vector<fs::path> names;
      for (const auto& entry : fs::directory_iterator(path_)) names.push_back(entry.path());
      std::sort(names.begin(), names.end());
      for (const fs::path& name : names) {
        if (name.extension() == ".yaml") content += Read(name);
      }
    } else {
      content = Read(path_);
    }
    const std::lock_guard lock(mutex_);
    for (const std::string& file : next_.also) content += "+" + Read(file);
    last_ = content;
    ++calls_;
    told_.notify_all();
    return next_;
  }

  std::string path_;
  std::mutex mutex_;
  std::condition_variable told_;
  std::string last_ = "(never)";
  int calls_ = 0;
  WatchNext next_;
  std::unique_ptr<FileWatcher> watcher_;
};

// Only inotify can be this fast.
constexpr FileWatcherOptions kByEvents{.check_interval = std::chrono::minutes(10)};

TEST_F(FileWatcherTest, TellsOnceAtTheStart) {
  Write(Path("a.yaml"), "one");
  Watch(Path("a.yaml"), kByEvents);
  EXPECT_TRUE(Saw("one"));
  EXPECT_EQ(calls(), 1);
}

TEST_F(FileWatcherTest, SeesAFileThatIsWrittenInPlace) {
  Write(Path("a.yaml"), "one");
  Watch(Path("a.yaml"), kByEvents);
  ASSERT_TRUE(Saw("one"));
  for (const char* text : {"two", "three", "four"}) {
    Write(Path("a.yaml"), text);
    EXPECT_TRUE(Saw(text));
  }
}

TEST_F(FileWatcherTest, SeesAFileThatIsReplacedByRename) {
  Write(Path("a.yaml"), "one");
  Watch(Path("a.yaml"), kByEvents);
  ASSERT_TRUE(Saw("one"));
  for (const char* text : {"two", "three", "four"}) {
    WriteBeside(Path("a.yaml"), text);
    EXPECT_TRUE(Saw(text));
  }
}

TEST_F(FileWatcherTest, SeesAFileVanishAndComeBack) {
  Write(Path("a.yaml"), "one");
  Watch(Path("a.yaml"), kByEvents);
  ASSERT_TRUE(Saw("one"));
  fs::remove(Path("a.yaml"));
  EXPECT_TRUE(Saw("(gone)"));
  Write(Path("a.yaml"), "two");
  EXPECT_TRUE(Saw("two"));
}

TEST_F(FileWatcherTest, WaitsForAFileThatIsNotThereYet) {
  Watch(Path("a.yaml"), kByEvents);
  ASSERT_TRUE(Saw("(gone)"));
  Write(Path("a.yaml"), "one");
  EXPECT_TRUE(Saw("one"));
}

TEST_F(FileWatcherTest, SeesLinksSwitchedAsConfigMapsDo) {
  for (const char* version : {"v1", "v2"}) {
    fs::create_directory(folder_ / version);
    Write(Path(std::string(version) + "/a.yaml"), version);
  }
  fs::create_directory_symlink("v1", folder_ / "..data");
  fs::create_symlink("..data/a.yaml", folder_ / "a.yaml");
  Watch(Path("a.yaml"), kByEvents);
  ASSERT_TRUE(Saw("v1"));
  fs::create_directory_symlink("v2", folder_ / "..next");
  fs::rename(folder_ / "..next", folder_ / "..data");
  EXPECT_TRUE(Saw("v2"));
  Write(Path("v2/a.yaml"), "v2 again");  // The folder that is behind the link now.
  EXPECT_TRUE(Saw("v2 again"));
}

TEST_F(FileWatcherTest, SeesADirectoryThatIsALinkSwitched) {
  for (const char* version : {"v1", "v2"}) {
    fs::create_directory(folder_ / version);
    Write(Path(std::string(version) + "/a.yaml"), version);
  }
  fs::create_directory_symlink("v1", folder_ / "live");
  Watch(Path("live"), kByEvents);
  ASSERT_TRUE(Saw("v1"));
  fs::create_directory_symlink("v2", folder_ / "next");
  fs::rename(folder_ / "next", folder_ / "live");
  EXPECT_TRUE(Saw("v2"));
}

TEST_F(FileWatcherTest, SeesFilesComeChangeAndGoInADirectory) {
  Write(Path("a.yaml"), "a");
  Watch(folder_.string(), kByEvents);
  ASSERT_TRUE(Saw("a"));
  Write(Path("b.yaml"), "b");
  EXPECT_TRUE(Saw("ab"));
  Write(Path("a.yaml"), "A");
  EXPECT_TRUE(Saw("Ab"));
  fs::remove(Path("b.yaml"));
  EXPECT_TRUE(Saw("A"));
}

TEST_F(FileWatcherTest, OtherFilesInTheDirectoryAreNobodysBusiness) {
  Write(Path("a.yaml"), "a");
  Watch(folder_.string(), kByEvents);
  ASSERT_TRUE(Saw("a"));
  Write(Path(".a.yaml.swp"), "x");
  Write(Path("a.yaml~"), "x");
  Write(Path("proxy.log"), "x");
  Write(Path("b.yaml"), "b");
  EXPECT_TRUE(Saw("ab"));
  EXPECT_EQ(calls(), 2);
}

TEST_F(FileWatcherTest, AHalfWrittenFileIsToldWhenItIsWhole) {
  Write(Path("a.yaml"), "one");
  Watch(Path("a.yaml"), {.check_interval = std::chrono::minutes(10),
                         .debounce = milliseconds(300),
                         .patience = std::chrono::minutes(10)});
  ASSERT_TRUE(Saw("one"));
  std::ofstream out(Path("a.yaml"), std::ios::trunc);
  std::string whole;
  for (int i = 0; i < 200; ++i) {
    out << "piece " << i << "\n" << std::flush;
    whole += "piece " + std::to_string(i) + "\n";
  }
  out.close();
  EXPECT_TRUE(Saw(whole));
  EXPECT_EQ(calls(), 2);
}

TEST_F(FileWatcherTest, AWriterWhoNeverStopsIsNotWaitedForForEver) {
  Write(Path("a.yaml"), "one");
  Watch(Path("a.yaml"), {.check_interval = std::chrono::minutes(10),
                         .debounce = milliseconds(20),
                         .patience = milliseconds(200)});
  ASSERT_TRUE(Saw("one"));
  for (int i = 0; calls() < 3; ++i) {
    ASSERT_LT(i, 100'000'000);
    std::ofstream(Path("a.yaml"), std::ios::app) << i;
  }
  SUCCEED();
}

TEST_F(FileWatcherTest, WhatInotifyMissesIsFoundByLooking) {
  Write(Path("a.yaml"), "one");
  Watch(Path("a.yaml"), {.check_interval = milliseconds(50)});
  ASSERT_TRUE(Saw("one"));
  // The mount is replaced: the folder that is watched is not the one that has the path any more.
  fs::create_directory(folder_.string() + ".new");
  Write(folder_.string() + ".new/a.yaml", "two");
  fs::rename(folder_, folder_.string() + ".old");
  fs::rename(folder_.string() + ".new", folder_);
  EXPECT_TRUE(Saw("two"));
  fs::remove_all(folder_.string() + ".old");
}

TEST_F(FileWatcherTest, FilesItRefersToAreWatchedToo) {
  Write(Path("a.yaml"), "a");
  fs::create_directory(folder_ / "certs");
  Write(Path("certs/c.pem"), "c1");
  SetNext({.also = {Path("certs/c.pem")}});
  Watch(Path("a.yaml"), kByEvents);
  ASSERT_TRUE(SawCalls(2)) << "read before it was watched: once more";
  ASSERT_TRUE(Saw("a+c1"));
  WriteBeside(Path("certs/c.pem"), "c2");
  EXPECT_TRUE(Saw("a+c2"));
  EXPECT_EQ(calls(), 3);
}

TEST_F(FileWatcherTest, CallsAgainWhenAskedTo) {
  Write(Path("a.yaml"), "a");
  SetNext({.again_in = milliseconds(10)});
  Watch(Path("a.yaml"), kByEvents);
  EXPECT_TRUE(SawCalls(4));
}

TEST_F(FileWatcherTest, EndsAtOnceWhateverItWaitsFor) {
  Write(Path("a.yaml"), "one");
  Watch(Path("a.yaml"), {.check_interval = std::chrono::minutes(10),
                         .debounce = std::chrono::minutes(10),
                         .patience = std::chrono::minutes(30)});
  ASSERT_TRUE(Saw("one"));
  Write(Path("a.yaml"), "two");
  // TearDown ends it: a watcher that waited for the debounce would hang the test.
}

}  // namespace
}  // namespace sluice::source
