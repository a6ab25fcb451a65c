#include "controlplane/store/backup.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "common/base/file.h"
#include "common/base/hash.h"
#include "controlplane/store/data_folder.h"
#include "controlplane/store/restore.h"
#include "controlplane/store/schema.h"
#include "controlplane/store/testing_folder.h"
#include "controlplane/store/testing_versions.h"
#include "controlplane/store/trust_store.h"

namespace sluice::store {
namespace {

using testing::AddVersion;
using testing::AddWithKey;
using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::Folder;
using ::testing::HasSubstr;
using testing::KeyOf;
using ::testing::Not;
using ::testing::StartsWith;
using testing::WithKey;

std::unique_ptr<VersionStore> OpenStore(const std::string& path,
                                        const VersionStore::LoadSealer& load_sealer = {}) {
  auto store = VersionStore::Open(path, load_sealer);
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? *std::move(store) : nullptr;
}

std::string BytesOf(Backup backup, size_t piece_bytes = 1000) {
  std::string bytes;
  for (;;) {
    const auto piece = backup.Next(piece_bytes);
    EXPECT_TRUE(piece.ok()) << piece.status();
    if (!piece.ok() || piece->empty()) return bytes;
    EXPECT_LE(piece->size(), piece_bytes);
    bytes += *piece;
  }
}

void Write(const std::string& path, std::string_view bytes) {
  ASSERT_TRUE(base::WriteFileAtomically(path, bytes, 0600).ok());
}

std::string Read(const std::string& path) {
  return base::ReadFile(path, size_t{1} << 30).value_or("<none>");
}

std::string TextOf(const absl::Status& status) { return std::string(status.message()); }

// A store with three versions, the second of them current, and a file beside it.
class BackupTest : public ::testing::Test {
 protected:
  BackupTest() : store_(OpenStore(data_)) {
    for (const char* content : {"a", "b", "c"}) AddVersion(*store_, content);
    EXPECT_TRUE(store_->SetState(2, VersionState::kCurrent).ok());
    EXPECT_TRUE(base::MakeDirectory(data_ + "/pki", 0700).ok());
    Write(data_ + "/pki/ca.key", "THE KEY");
  }

  std::string MakeBackup() {
    auto backup = Backup::Take(data_);
    EXPECT_TRUE(backup.ok()) << backup.status();
    const std::string path = folder_ / "backup";
    Write(path, BytesOf(*std::move(backup)));
    return path;
  }
  // With what is changed put right again, so that only the change itself is found fault with.
  std::string WithHash(std::string bytes) {
    const size_t at = kBackupMagic.size();
    return bytes.replace(at, 32, base::Sha256(std::string_view(bytes).substr(at + 32)));
  }

  const Folder folder_;
  const std::string data_ = folder_ / "data";
  const std::string other_ = folder_ / "other";
  std::unique_ptr<VersionStore> store_;
};

TEST_F(BackupTest, WhatIsRestoredIsWhatWasThere) {
  const uint64_t epoch = store_->epoch();
  const std::string path = MakeBackup();
  const auto header = CheckBackup(path);
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->epoch(), epoch);
  EXPECT_EQ(header->revision(), 3u);
  EXPECT_EQ(header->current_revision(), 2u);
  EXPECT_EQ(header->schema_version(), kSchemaVersion);

  const auto restored = RestoreBackup(path, other_, {.author = "ann"});
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->replaced, "");
  const auto store = OpenStore(other_);
  EXPECT_EQ(store->Current()->version.revision(), 2u);
  EXPECT_EQ(snapshot::RootOf(*store->Resources(2)), store_->Current()->version.root());
  EXPECT_EQ(Read(other_ + "/pki/ca.key"), "THE KEY");
  EXPECT_EQ(store->ListAudit(1)->front().action(), "restore");
  EXPECT_EQ(store->ListAudit(1)->front().author(), "ann");
}

TEST_F(BackupTest, WhatIsSealedStaysSealed) {
  const std::string planted = "planted private key bytes";
  store_.reset();
  store_ = OpenStore(data_, KeyOf('k'));
  AddWithKey(*store_, planted);
  const std::string path = MakeBackup();
  EXPECT_THAT(Read(path), Not(HasSubstr(planted)));
  EXPECT_EQ(CheckBackup(path)->seal_key_name(), store_->sealer()->key_name());

  const auto restored = RestoreBackup(path, other_, {});
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->seal_key, SealKey::kMissing);
  EXPECT_THAT(TextOf(VersionStore::Open(other_, KeyOf('x')).status()), HasSubstr("sealed with"));
  const auto store = OpenStore(other_, KeyOf('k'));
  EXPECT_EQ(snapshot::RootOf(*store->Resources(4)), snapshot::RootOf(WithKey(planted)));
}

TEST_F(BackupTest, TheSealKeyIsInNoBackupAndStaysWhereItIs) {
  Write(data_ + "/seal.key", base::HexEncode(std::string(32, 'k')));
  store_.reset();
  store_ = OpenStore(data_, KeyOf('k'));
  const std::string path = MakeBackup();
  EXPECT_THAT(Read(path), Not(HasSubstr(base::HexEncode(std::string(32, 'k')))));
  store_.reset();
  const auto here = RestoreBackup(path, data_, {.force = true});
  ASSERT_TRUE(here.ok()) << here.status();
  EXPECT_EQ(here->seal_key, SealKey::kInPlace);
  EXPECT_EQ(Read(data_ + "/seal.key"), base::HexEncode(std::string(32, 'k')));

  // On a new disk the key may be put there first.
  ASSERT_TRUE(base::MakeDirectory(other_, 0700).ok());
  Write(other_ + "/seal.key", base::HexEncode(std::string(32, 'x')));
  EXPECT_THAT(TextOf(RestoreBackup(path, other_, {}).status()),
              AllOf(HasSubstr(here->header.seal_key_name()), HasSubstr("is another")));
  Write(other_ + "/seal.key", base::HexEncode(std::string(32, 'k')));
  EXPECT_EQ(RestoreBackup(path, other_, {})->seal_key, SealKey::kInPlace);
  Write(other_ + "/seal.key", "no key at all");
  const auto forced = RestoreBackup(path, other_, {.force = true});
  ASSERT_TRUE(forced.ok()) << forced.status();
  EXPECT_EQ(forced->seal_key, SealKey::kOther);
  EXPECT_EQ(Read(forced->replaced + "/seal.key"), "no key at all");
  EXPECT_FALSE(std::filesystem::exists(other_ + "/seal.key"));
}

TEST_F(BackupTest, ARolloutUnderWayIsAborted) {
  v1::Rollout rollout;
  rollout.mutable_version()->set_revision(3);
  rollout.set_state(v1::Rollout::BAKING);
  rollout.add_waves()->add_node_ids("n1");
  ASSERT_TRUE(store_->SaveRollout(rollout, VersionState::kRolling).ok());
  ASSERT_TRUE(RestoreBackup(MakeBackup(), other_, {}).ok());
  EXPECT_EQ(store_->Get(3)->state, VersionState::kRolling) << "where it was taken from";
  const auto store = OpenStore(other_);
  EXPECT_EQ(store->Get(3)->state, VersionState::kTakenBack);
  EXPECT_EQ(store->LatestRollout()->state(), v1::Rollout::ABORTED);
  EXPECT_THAT(store->LatestRollout()->reason(), HasSubstr("restored"));
  EXPECT_EQ(store->Current()->version.revision(), 2u);
}

TEST_F(BackupTest, WhoIsTrustedComesBackButUnusedJoinTokensDoNot) {
  const auto trust = TrustStore::Open(data_);
  ASSERT_TRUE(trust.ok()) << trust.status();
  for (const char* id : {"used", "unused", "operator"}) {
    StoredToken token;
    token.info.set_id(id);
    token.info.set_expires_unix_ms(9'000'000'000'000);
    if (token.info.id() == "operator") token.info.set_role("viewer");
    ASSERT_TRUE((*trust)->AddToken(token, 1).ok());
  }
  EnrolledNode node;
  node.node_id = "n1";
  node.enrolment = "e1";
  node.token = "used";
  node.enrolled_unix_ms = 5;
  ASSERT_TRUE((*trust)->Enroll("key", node).ok());
  ASSERT_TRUE(RestoreBackup(MakeBackup(), other_, {}).ok());
  const auto restored = TrustStore::Open(other_);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ((*restored)->FindNode("n1")->enrolment, "e1");
  EXPECT_EQ((*restored)->FindToken("used")->info.revoked_unix_ms(), 0u);
  EXPECT_EQ((*restored)->FindToken("operator")->info.revoked_unix_ms(), 0u);
  EXPECT_GT((*restored)->FindToken("unused")->info.revoked_unix_ms(), 0u);
}

TEST_F(BackupTest, ARestoredStoreLivesUnderANewEpochAndGoesOnCounting) {
  const std::string path = MakeBackup();
  ASSERT_TRUE(RestoreBackup(path, other_, {}).ok());
  const auto store = OpenStore(other_);
  EXPECT_GT(store->epoch(), store_->epoch());
  EXPECT_EQ(AddVersion(*store, "d"), 4u);
  // The other life has a version of that number, too, with other content.
  EXPECT_EQ(AddVersion(*store_, "e"), 4u);
  EXPECT_NE(store->Get(4)->version.epoch(), store_->Get(4)->version.epoch());
}

TEST_F(BackupTest, TheEpochGrowsEvenIfTheClockWentBack) {
  const int64_t future = 9'000'000'000'000;
  ASSERT_TRUE(Database::Open(data_ + "/sluice.db")
                  ->Execute(fmt::format("UPDATE meta SET value = {}", future))
                  .ok());
  ASSERT_TRUE(RestoreBackup(MakeBackup(), other_, {}).ok());
  EXPECT_EQ(OpenStore(other_)->epoch(), static_cast<uint64_t>(future) + 1);
}

TEST_F(BackupTest, ACopyTakenWhileVersionsAreWrittenIsOfOneMoment) {
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 0; !done; ++i) AddVersion(*store_, fmt::format("content {}", i), 50);
  });
  for (int i = 0; i < 10; ++i) {
    const std::string path = MakeBackup();
    ASSERT_TRUE(RestoreBackup(path, other_, {.force = true}).ok());
    const auto store = OpenStore(other_);
    const auto versions = store->List(1);
    ASSERT_TRUE(versions.ok());
    const v1::Version& newest = versions->front().version;
    EXPECT_EQ(snapshot::RootOf(*store->Resources(newest.revision())), newest.root());
  }
  done = true;
  writer.join();
}

TEST_F(BackupTest, NothingIsLeftInTheDataDirectory) {
  MakeBackup();
  for (const auto& entry : std::filesystem::directory_iterator(data_)) {
    EXPECT_FALSE(entry.path().filename().string().starts_with(".")) << entry.path();
  }
}

TEST_F(BackupTest, WhatAnInterruptedBackupLeftGoesAtTheNextStart) {
  Write(data_ + "/.tmp-backup-1", "half a copy");
  store_.reset();
  store_ = OpenStore(data_);
  EXPECT_FALSE(std::filesystem::exists(data_ + "/.tmp-backup-1"));
}

TEST_F(BackupTest, OnlyTheOwnerReadsWhatIsRestored) {
  ASSERT_TRUE(RestoreBackup(MakeBackup(), other_, {}).ok());
  for (const char* name : {"", "/sluice.db", "/pki", "/pki/ca.key"}) {
    struct stat info;
    ASSERT_EQ(stat((other_ + name).c_str(), &info), 0) << name;
    EXPECT_EQ(info.st_mode & 077, 0u) << name;
  }
}

TEST_F(BackupTest, ARunningControllerIsNotRestoredUnder) {
  const std::string path = MakeBackup();
  const auto restored = RestoreBackup(path, data_, {.force = true});
  EXPECT_THAT(TextOf(restored.status()), AllOf(HasSubstr(data_), HasSubstr("in use")));
  EXPECT_EQ(store_->Current()->version.revision(), 2u);
}

TEST_F(BackupTest, WhatIsThereIsKeptUnlessForcedAndEvenThenSetAside) {
  const std::string path = MakeBackup();
  AddVersion(*store_, "made after the backup");
  store_.reset();
  const auto refused = RestoreBackup(path, data_, {});
  EXPECT_THAT(TextOf(refused.status()), AllOf(HasSubstr("not empty"), HasSubstr("--force")));
  EXPECT_EQ(OpenStore(data_)->List(1)->front().version.revision(), 4u);

  const auto restored = RestoreBackup(path, data_, {.force = true});
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_THAT(restored->replaced, StartsWith(data_ + "/replaced-"));
  EXPECT_EQ(OpenStore(data_)->List(1)->front().version.revision(), 3u);
  EXPECT_EQ(OpenStore(restored->replaced)->List(1)->front().version.revision(), 4u);
  EXPECT_EQ(Read(restored->replaced + "/pki/ca.key"), "THE KEY");
  // What was set aside is no part of the next backup.
  EXPECT_THAT(CheckBackup(MakeBackup())->files_size(), 2);
}

TEST_F(BackupTest, EveryTruncationAndEveryAlterationIsFound) {
  const std::string path = MakeBackup();
  const std::string whole = Read(path);
  for (size_t bytes : {size_t{0}, size_t{5}, kBackupMagic.size(), kBackupMagic.size() + 35,
                       whole.size() / 2, whole.size() - 1}) {
    Write(path, whole.substr(0, bytes));
    const auto restored = RestoreBackup(path, other_, {});
    EXPECT_FALSE(restored.ok()) << bytes;
    EXPECT_THAT(TextOf(restored.status()), HasSubstr(path)) << bytes;
  }
  for (size_t at = 0; at < whole.size(); at += 1 + at / 8) {
    std::string altered = whole;
    altered[at] = static_cast<char>(altered[at] ^ 0x20);
    Write(path, altered);
    EXPECT_FALSE(RestoreBackup(path, other_, {}).ok()) << at;
  }
  Write(path, whole + "more");
  EXPECT_THAT(TextOf(CheckBackup(path).status()), HasSubstr("checksum"));
  EXPECT_FALSE(std::filesystem::exists(other_ + "/sluice.db"));
}

TEST_F(BackupTest, WhatANewerReleaseWroteIsRefusedByName) {
  const std::string path = MakeBackup();
  std::string format = Read(path);
  format[kBackupMagic.size() - 2] = '2';
  Write(path, format);
  EXPECT_THAT(TextOf(CheckBackup(path).status()), HasSubstr("newer release"));
}

TEST_F(BackupTest, ANewerSchemaIsRefusedByName) {
  store_.reset();
  ASSERT_TRUE(Database::Open(data_ + "/sluice.db")->Execute("PRAGMA user_version=99").ok());
  const auto restored = RestoreBackup(MakeBackup(), other_, {});
  EXPECT_THAT(TextOf(restored.status()), AllOf(HasSubstr("99"), HasSubstr("newer release")));
  EXPECT_FALSE(std::filesystem::exists(other_ + "/sluice.db"));
}

TEST_F(BackupTest, AFileThatListsWhatLeadsElsewhereIsRefused) {
  const std::string path = MakeBackup();
  std::string bytes = Read(path);
  const size_t at = bytes.find("pki/ca.key");
  ASSERT_NE(at, std::string::npos);
  Write(path, WithHash(bytes.replace(at, 10, "../../.ssh")));
  EXPECT_THAT(TextOf(RestoreBackup(path, other_, {}).status()), HasSubstr("cannot be in it"));
}

TEST(DataPathTest, LeadsNowhereElse) {
  for (const char* good : {"a", "pki/ca.key", "a.b/c", "sluice.db", "pki/lock"}) {
    EXPECT_TRUE(IsDataPath(good)) << good;
  }
  for (const char* bad :
       {"", "/etc/passwd", "..", "a/../b", ".hidden", "a//b/.", "a/", "lock", "seal.key",
        "operator/x", "sluice.db-wal", "sluice.db/x", "replaced-1/x"}) {
    EXPECT_FALSE(IsDataPath(bad)) << bad;
  }
}

TEST(OtherDataFilesTest, AreListedWithoutWhatIsOnlyTemporaryOrOpensTheRest) {
  const Folder folder;
  ASSERT_TRUE(base::MakeDirectory(folder / "pki", 0700).ok());
  for (const char* name :
       {"sluice.db", "sluice.db-wal", "lock", ".tmp-x", "seal.key", "token", "pki/seal.key"}) {
    Write(folder / name, "x");
  }
  ASSERT_TRUE(base::MakeDirectory(folder / "pki/deep", 0700).ok());
  Write(folder / "pki/ca.pem", "ca");
  Write(folder / "pki/deep/too", "x");
  for (const char* name : {"replaced-1", "operator"}) {
    ASSERT_TRUE(base::MakeDirectory(folder / name, 0700).ok());
    Write(folder / std::string(name) + "/inside", "x");
  }
  std::vector<std::string> names;
  const auto files = OtherDataFiles(folder.path());
  ASSERT_TRUE(files.ok()) << files.status();
  for (const DataFile& file : *files) names.push_back(file.path);
  EXPECT_THAT(names, ElementsAre("pki/ca.pem", "pki/seal.key", "token"));
}

TEST(SchemaTest, AnotherProgramsDatabaseIsRefused) {
  const Folder folder;
  ASSERT_TRUE(
      Database::Open(folder / "sluice.db")->Execute("CREATE TABLE bookmarks (url TEXT)").ok());
  EXPECT_THAT(TextOf(VersionStore::Open(folder.path()).status()),
              AllOf(HasSubstr("sluice.db"), HasSubstr("another program")));
}

}  // namespace
}  // namespace sluice::store
