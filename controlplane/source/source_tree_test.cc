#include "controlplane/source/source_tree.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "common/base/file.h"

namespace sluice::source {
namespace {

class SourceTreeTest : public testing::Test {
 protected:
  SourceTreeTest() {
    std::string name = testing::TempDir() + "/source_treeXXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~SourceTreeTest() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& content) {
    ASSERT_TRUE(base::WriteFileAtomically(folder_ + "/" + name, content, 0600).ok());
  }
  std::string ErrorOf(const std::string& path) {
    const auto document = ReadDocument(path);
    return document.ok() ? "" : std::string(document.status().message());
  }

  std::string folder_;
};

TEST_F(SourceTreeTest, OneFileIsADocument) {
  Write("a.conf", "services: []\n");
  const auto document = ReadDocument(folder_ + "/a.conf");
  ASSERT_TRUE(document.ok()) << document.status();
  ASSERT_EQ(document->files_size(), 1);
  EXPECT_EQ(document->files(0).path(), folder_ + "/a.conf");
  EXPECT_EQ(document->files(0).content(), "services: []\n");
}

TEST_F(SourceTreeTest, YamlFilesOfADirectoryComeInNameOrder) {
  Write("b.yaml", "b");
  Write("a.yml", "a");
  Write("10.yaml", "10");
  for (const char* other : {"c.txt", ".hidden.yaml", "#x.yaml", "d.yaml~"}) Write(other, "no");
  const auto document = ReadDocument(folder_);
  ASSERT_TRUE(document.ok()) << document.status();
  std::string all;
  for (const auto& file : document->files()) all += file.content() + " ";
  EXPECT_EQ(all, "10 a b ");
}

TEST_F(SourceTreeTest, WhatCannotBeADocumentSaysSo) {
  EXPECT_NE(ErrorOf(folder_ + "/gone.yaml").find("No such file"), std::string::npos);
  EXPECT_NE(ErrorOf(folder_).find("has no *.yaml or *.yml file"), std::string::npos);
  ASSERT_EQ(mkfifo((folder_ + "/pipe.yaml").c_str(), 0600), 0);
  EXPECT_NE(ErrorOf(folder_ + "/pipe.yaml"), "");
}

TEST_F(SourceTreeTest, AHugeFileIsRefusedBeforeItIsRead) {
  const std::string path = folder_ + "/huge.yaml";
  Write("huge.yaml", "");
  // Sparse: it takes no room on the disk, and would take a gigabyte in memory.
  ASSERT_EQ(truncate(path.c_str(), 1 << 30), 0);
  EXPECT_EQ(ErrorOf(path), path + ": the document is larger than 32 MiB; is this the right file?");
}

TEST_F(SourceTreeTest, FilesOfADirectoryShareOneLimit) {
  Write("a.yaml", std::string(kDocumentBytesMax / 2 + 1, ' '));
  Write("b.yaml", std::string(kDocumentBytesMax / 2, ' '));
  EXPECT_NE(ErrorOf(folder_).find("larger than 32 MiB"), std::string::npos);
}

}  // namespace
}  // namespace sluice::source
