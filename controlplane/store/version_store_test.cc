#include "controlplane/store/version_store.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "controlplane/store/testing_folder.h"
#include "controlplane/store/testing_schema.h"
#include "controlplane/store/testing_versions.h"
#include "sluice/v1/certificate.pb.h"

namespace sluice::store {
namespace {

using testing::AddVersion;
using testing::AddWithKey;
using ::testing::AllOf;
using testing::Clusters;
using testing::DocumentOf;
using testing::Folder;
using ::testing::HasSubstr;
using testing::KeyOf;
using ::testing::Not;
using testing::VersionOf;
using testing::WithKey;

std::unique_ptr<VersionStore> Open(const std::string& path) {
  auto store = VersionStore::Open(path);
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? *std::move(store) : nullptr;
}

std::string OpenError(const std::string& path) {
  return std::string(VersionStore::Open(path).status().message());
}

std::string FileBytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

int ModeOf(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
  return static_cast<int>(info.st_mode & 0777);
}

TEST(VersionStoreTest, GivesBackWhatWasAddedAlsoAfterReopening) {
  Folder folder;
  const snapshot::Resources resources = Clusters(3, "first");
  StoredVersion added = VersionOf(resources, "a message");
  uint64_t epoch = 0;
  {
    const auto store = Open(folder.path());
    epoch = store->epoch();
    ASSERT_TRUE(store->Add(&added, resources, DocumentOf("text")).ok());
    ASSERT_TRUE(store->SetState(added.version.revision(), VersionState::kCurrent).ok());
  }
  const auto store = Open(folder.path());
  EXPECT_EQ(store->epoch(), epoch);
  const auto found = store->Current();
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->version.SerializeAsString(), added.version.SerializeAsString());
  EXPECT_EQ(found->version.revision(), 1u);
  EXPECT_EQ(found->author, "ann");
  EXPECT_EQ(found->message, "a message");
  EXPECT_EQ(found->source, "api");
  EXPECT_EQ(found->changes, 3);
  EXPECT_EQ(found->resource_count, 3);
  EXPECT_EQ(found->created_unix_ms, added.created_unix_ms);
  const auto again = store->Resources(1);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(snapshot::RootOf(*again), added.version.root());
  EXPECT_EQ((*again)[0]->body(), resources[0]->body());
  EXPECT_EQ(*store->RevisionOfRoot(added.version.root()), 1u);
}

TEST(VersionStoreTest, DocumentsComeBackWithoutWhatWasSentAlong) {
  Folder folder;
  const auto store = Open(folder.path());
  AddVersion(*store, "text");
  const auto document = store->Document(1);
  ASSERT_TRUE(document.ok()) << document.status();
  ASSERT_EQ(document->files_size(), 2);
  EXPECT_EQ(document->files(0).path(), "/etc/a.yaml");
  EXPECT_EQ(document->files(0).content(), "text");
  EXPECT_EQ(document->files(1).content(), "always the same");
  EXPECT_EQ(document->referenced_size(), 0);
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    EXPECT_THAT(FileBytes(entry.path()), Not(HasSubstr("SECRET"))) << entry.path();
  }
}

TEST(VersionStoreTest, OneVersionIsCurrent) {
  Folder folder;
  const auto store = Open(folder.path());
  EXPECT_TRUE(absl::IsNotFound(store->Current().status()));
  for (const char* content : {"a", "b", "c"}) AddVersion(*store, content);
  ASSERT_TRUE(store->SetState(1, VersionState::kCurrent).ok());
  ASSERT_TRUE(store->SetState(2, VersionState::kCurrent).ok());
  ASSERT_TRUE(store->SetState(3, VersionState::kRefused).ok());
  EXPECT_EQ(store->Current()->version.revision(), 2u);
  const auto list = store->List(10);
  ASSERT_EQ(list->size(), 3u);
  EXPECT_EQ((*list)[0].state, VersionState::kRefused);
  EXPECT_EQ((*list)[1].state, VersionState::kCurrent);
  EXPECT_EQ((*list)[2].state, VersionState::kSuperseded);
  EXPECT_EQ(store->List(1)->front().version.revision(), 3u);
}

TEST(VersionStoreTest, WhatWasOnItsWayWhenTheProcessEndedWasNeverCurrent) {
  Folder folder;
  {
    const auto store = Open(folder.path());
    AddVersion(*store, "a");
    ASSERT_TRUE(store->SetState(1, VersionState::kCurrent).ok());
    AddVersion(*store, "b");
  }
  const auto store = Open(folder.path());
  EXPECT_EQ(store->Current()->version.revision(), 1u);
  EXPECT_EQ(store->Get(2)->state, VersionState::kRefused);
  EXPECT_EQ(AddVersion(*store, "c"), 3u) << "revisions only grow";
}

TEST(VersionStoreTest, UnknownRevisionsAreNotFound) {
  Folder folder;
  const auto store = Open(folder.path());
  EXPECT_TRUE(absl::IsNotFound(store->Get(7).status()));
  EXPECT_TRUE(absl::IsNotFound(store->Resources(7).status()));
  EXPECT_TRUE(absl::IsNotFound(store->Document(7).status()));
  EXPECT_TRUE(absl::IsNotFound(store->RevisionOfRoot("x").status()));
  EXPECT_THAT(std::string(store->Get(7).status().message()), HasSubstr("no version 7"));
}

TEST(VersionStoreTest, SharedResourcesAreStoredOnce) {
  Folder folder;
  const auto store = Open(folder.path());
  AddVersion(*store, "0", 3000);
  const int64_t one = store->FileBytes();
  for (int i = 1; i <= 100; ++i) AddVersion(*store, std::to_string(i), 3000);
  // A hundred more lists of three thousand, and a hundred single resources.
  EXPECT_LT(store->FileBytes() - one, int64_t{5} << 20);
  EXPECT_EQ(store->Resources(50)->size(), 3000u);
}

TEST(VersionStoreTest, OldVersionsGoAndWhatOnlyTheyHad) {
  Folder folder;
  const auto store = Open(folder.path());
  AddVersion(*store, "the old one that is current");
  ASSERT_TRUE(store->SetState(1, VersionState::kCurrent).ok());
  AddVersion(*store, "unique-to-the-second");
  const int total = VersionStore::kVersionsKept + VersionStore::kVersionsSlack;
  for (int i = 3; i < total; ++i) AddVersion(*store, std::to_string(i % 7), 1);
  ASSERT_TRUE(store->Prune().ok());
  EXPECT_TRUE(store->Get(2).ok()) << "there is slack still";
  AddVersion(*store, "last");
  const absl::Status status = store->Prune();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(absl::IsNotFound(store->Get(2).status()));
  EXPECT_TRUE(absl::IsNotFound(store->Document(2).status()));
  EXPECT_EQ(store->Current()->version.revision(), 1u) << "the current one stays, however old";
  EXPECT_EQ(store->Resources(1)->size(), 3u);
  EXPECT_EQ(*store->CountVersions(), VersionStore::kVersionsKept + 1);
  EXPECT_TRUE(store->Resources(static_cast<uint64_t>(total)).ok());

  // Freed pages are filled with the rest of the test's data; the content is gone from the tables.
  auto database = Database::Open(folder / "sluice.db");
  ASSERT_TRUE(database.ok());
  Statement left = database->Prepare("SELECT count(*) FROM resource");
  ASSERT_TRUE(*left.Step());
  EXPECT_EQ(left.Int(0), 3 + 7 + 3 - 2 /* c00001 and c00002 are the same in both */);
}

TEST(VersionStoreTest, FilesAreForTheirOwnerOnly) {
  Folder folder;
  const std::string path = folder / "deep/er/data";
  const auto store = Open(path);
  AddVersion(*store, "a");
  EXPECT_EQ(ModeOf(path), 0700);
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    EXPECT_EQ(ModeOf(entry.path()), 0600) << entry.path();
  }
}

TEST(VersionStoreTest, LaxModesAreTightened) {
  Folder folder;
  Open(folder.path()).reset();
  chmod(folder.path().c_str(), 0755);
  chmod((folder / "sluice.db").c_str(), 0644);
  const auto store = Open(folder.path());
  EXPECT_EQ(ModeOf(folder.path()), 0700);
  EXPECT_EQ(ModeOf(folder / "sluice.db"), 0600);
}

TEST(VersionStoreTest, ASecondControllerIsRefused) {
  Folder folder;
  auto store = Open(folder.path());
  EXPECT_THAT(OpenError(folder.path()),
              AllOf(HasSubstr(folder.path()), HasSubstr("another sluice-controller")));
  store.reset();
  EXPECT_TRUE(VersionStore::Open(folder.path()).ok());
}

TEST(VersionStoreTest, ANewerSchemaIsRefused) {
  Folder folder;
  Open(folder.path()).reset();
  {
    auto database = Database::Open(folder / "sluice.db");
    ASSERT_TRUE(database->Execute("PRAGMA user_version=99").ok());
  }
  EXPECT_THAT(OpenError(folder.path()),
              AllOf(HasSubstr("sluice.db"), HasSubstr("newer release"), HasSubstr("99")));
}

TEST(VersionStoreTest, WhatIsNoDatabaseIsRefused) {
  Folder folder;
  std::ofstream(folder / "sluice.db") << std::string(8192, 'x');
  EXPECT_THAT(OpenError(folder.path()),
              AllOf(HasSubstr("sluice.db"), HasSubstr("not a database"), HasSubstr("--data-dir")));
}

TEST(VersionStoreTest, ADamagedFileIsRefused) {
  Folder folder;
  {
    const auto store = Open(folder.path());
    for (int i = 0; i < 20; ++i) AddVersion(*store, std::to_string(i), 200);
  }
  const std::string path = folder / "sluice.db";
  const auto size = std::filesystem::file_size(path);
  ASSERT_GT(size, 40'000u);
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(8192);
    file << std::string(static_cast<size_t>(size) - 16384, '\x5a');
  }
  EXPECT_THAT(OpenError(folder.path()), AllOf(HasSubstr("sluice.db"), HasSubstr("restore it")));
}

TEST(VersionStoreTest, AStoreOfSchemaOneIsBroughtUpToDate) {
  Folder folder;
  const snapshot::Resources resources = Clusters(3, "kept");
  {
    auto database = Database::Open(folder / "sluice.db");
    ASSERT_TRUE(database.ok());
    ASSERT_TRUE(database
                    ->Execute(R"sql(
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE resource (sha256 BLOB PRIMARY KEY, kind INTEGER NOT NULL, name TEXT NOT NULL,
                       body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE version (revision INTEGER PRIMARY KEY, root BLOB NOT NULL, created_ms INTEGER NOT NULL,
                      author TEXT NOT NULL, message TEXT NOT NULL, source TEXT NOT NULL,
                      state INTEGER NOT NULL, changes INTEGER NOT NULL, resource_count INTEGER NOT NULL,
                      document BLOB NOT NULL);
CREATE TABLE version_resource (revision INTEGER NOT NULL REFERENCES version ON DELETE CASCADE,
                               sha256 BLOB NOT NULL REFERENCES resource,
                               PRIMARY KEY (revision, sha256)) WITHOUT ROWID;
CREATE INDEX version_resource_sha256 ON version_resource (sha256);
CREATE INDEX version_root ON version (root);
CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, unix_ms INTEGER NOT NULL, author TEXT NOT NULL,
                    peer TEXT NOT NULL, action TEXT NOT NULL, detail TEXT NOT NULL);
CREATE TABLE node (node_id TEXT PRIMARY KEY, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
                   hello BLOB NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('epoch', 4711);
INSERT INTO audit VALUES (7, 1, 'ann', 'peer', 'apply', 'detail');
INSERT INTO node VALUES ('n1', 1, 2, x'');
PRAGMA user_version=1;
)sql")
                    .ok());
    v1::Document document = DocumentOf("old text");
    document.clear_referenced();
    for (const int64_t revision : {4, 9}) {
      ASSERT_TRUE(
          database->Prepare("INSERT INTO version VALUES (?, ?, 5, 'ann', 'm', 'api', ?, 2, 3, ?)")
              .Bind(revision)
              .BindBlob(snapshot::RootOf(resources))
              .Bind(static_cast<int64_t>(revision == 9 ? VersionState::kCurrent
                                                       : VersionState::kSuperseded))
              .BindBlob(document.SerializeAsString())
              .Run()
              .ok());
      for (const auto& resource : resources) {
        ASSERT_TRUE(database->Prepare("INSERT OR IGNORE INTO resource VALUES (?, ?, ?, ?)")
                        .BindBlob(resource->sha256())
                        .Bind(static_cast<int64_t>(resource->kind()))
                        .Bind(resource->name())
                        .BindBlob(resource->body())
                        .Run()
                        .ok());
        ASSERT_TRUE(database->Prepare("INSERT INTO version_resource VALUES (?, ?)")
                        .Bind(revision)
                        .BindBlob(resource->sha256())
                        .Run()
                        .ok());
      }
    }
  }
  const auto store = Open(folder.path());
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(store->epoch(), 4711u);
  EXPECT_EQ(store->Current()->version.revision(), 9u);
  EXPECT_EQ(snapshot::RootOf(*store->Resources(4)), snapshot::RootOf(resources));
  EXPECT_EQ(store->Document(4)->files(0).content(), "old text");
  EXPECT_EQ(store->ListAudit(5)->front().id(), 7u);
  EXPECT_EQ(store->Nodes()->front().node_id, "n1");
  EXPECT_EQ(AddVersion(*store, "new"), 10u);
}

TEST(VersionStoreTest, AStoreOfSchemaThreeIsBroughtUpToDate) {
  Folder folder;
  {
    const auto store = Open(folder.path());
    AddVersion(*store, "kept");
    v1::AuditEntry entry;
    entry.set_author("ann");
    ASSERT_TRUE(store->Audit(entry).ok());
    ASSERT_TRUE(store->MarkBad("root", "why").ok());
  }
  {
    auto database = Database::Open(folder / "sluice.db");
    ASSERT_TRUE(testing::BackTo(*database, 3).ok());
  }
  const auto store = Open(folder.path());
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(store->CountVersions().value(), 1);
  ASSERT_EQ(store->ListAudit(5)->size(), 1u);
  EXPECT_EQ(store->ListAudit(5)->front().author(), "ann");
  EXPECT_EQ(store->ListAudit(5)->front().role(), "");
  EXPECT_FALSE(store->ListAudit(5)->front().refused());
  EXPECT_EQ(*store->WhyBad("root"), "why");
}

TEST(VersionStoreTest, AStoreOfEveryEarlierSchemaTakesWhatOperatorsSayOfNodes) {
  for (int64_t schema = 2; schema < kSchemaVersion; ++schema) {
    Folder folder;
    Open(folder.path()).reset();
    {
      auto database = Database::Open(folder / "sluice.db");
      ASSERT_TRUE(testing::BackTo(*database, schema).ok()) << schema;
    }
    const auto store = Open(folder.path());
    ASSERT_NE(store, nullptr) << schema;
    EXPECT_TRUE(store->SetCordoned("n1", true, 1).ok()) << schema;
    EXPECT_TRUE(store->SetNodeLabels("n1", {{"zone", "a"}}).ok()) << schema;
    EXPECT_TRUE(store->AllNodeSettings()->at("n1").cordoned) << schema;
    EXPECT_EQ(store->AllNodeSettings()->at("n1").labels.at("zone"), "a") << schema;
    EXPECT_TRUE(absl::IsNotFound(store->LatestRollout().status())) << schema;
  }
}

bool IsInFiles(const Folder& folder, const std::string& text) {
  for (const auto& file : std::filesystem::directory_iterator(folder.path())) {
    if (FileBytes(file.path()).find(text) != std::string::npos) return true;
  }
  return false;
}

TEST(VersionStoreTest, KeysAreSealedAlsoThoseOfAStoreThatWasNot) {
  const std::string planted = "planted private key bytes";
  Folder folder;
  AddWithKey(*Open(folder.path()), planted);
  ASSERT_TRUE(IsInFiles(folder, planted));
  {
    auto store = VersionStore::Open(folder.path(), KeyOf('k'));
    ASSERT_TRUE(store.ok()) << store.status();
    EXPECT_FALSE(IsInFiles(folder, planted));
    EXPECT_EQ(snapshot::RootOf(*(*store)->Resources(1)), snapshot::RootOf(WithKey(planted)));
    AddWithKey(**store, planted + " of another");
    EXPECT_FALSE(IsInFiles(folder, planted));
  }
  EXPECT_FALSE(IsInFiles(folder, planted));
  const auto store = VersionStore::Open(folder.path(), KeyOf('k'));
  v1::Certificate certificate;
  certificate.ParseFromString((*store)->Resources(2)->front()->body());
  EXPECT_EQ(certificate.key_pem(), planted + " of another");
}

TEST(VersionStoreTest, AnotherKeyIsRefused) {
  Folder folder;
  { ASSERT_TRUE(VersionStore::Open(folder.path(), KeyOf('k')).ok()); }
  const absl::Status status = VersionStore::Open(folder.path(), KeyOf('x')).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("sluice.db"), HasSubstr("sealed with key")));
  bool may_make = true;
  EXPECT_TRUE(VersionStore::Open(folder.path(), [&may_make](bool given) {
                may_make = given;
                return KeyOf('k')(given);
              }).ok());
  EXPECT_FALSE(may_make);
}

TEST(VersionStoreTest, AuditIsListedNewestFirst) {
  Folder folder;
  const auto store = Open(folder.path());
  for (int i = 0; i < 5; ++i) {
    v1::AuditEntry entry;
    entry.set_unix_ms(static_cast<uint64_t>(i));
    entry.set_author("ann");
    entry.set_peer("ipv4:127.0.0.1:1");
    entry.set_action("apply");
    entry.set_detail(fmt::format("detail {}", i));
    entry.set_role("admin");
    entry.set_refused(i == 4);
    entry.set_root_before("before");
    entry.set_root_after("after");
    ASSERT_TRUE(store->Audit(entry).ok());
  }
  const auto entries = store->ListAudit(2);
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ((*entries)[0].detail(), "detail 4");
  EXPECT_EQ((*entries)[1].detail(), "detail 3");
  EXPECT_EQ((*entries)[0].author(), "ann");
  EXPECT_EQ((*entries)[0].peer(), "ipv4:127.0.0.1:1");
  EXPECT_EQ((*entries)[0].role(), "admin");
  EXPECT_TRUE((*entries)[0].refused());
  EXPECT_FALSE((*entries)[1].refused());
  EXPECT_EQ((*entries)[0].root_before(), "before");
  EXPECT_EQ((*entries)[0].root_after(), "after");
}

TEST(VersionStoreTest, NodesAreRememberedFromFirstToLast) {
  Folder folder;
  const auto store = Open(folder.path());
  ASSERT_TRUE(store->SeeNode("n1", "one", 100).ok());
  ASSERT_TRUE(store->SeeNode("n1", "two", 200).ok());
  ASSERT_TRUE(store->SeeNode("n2", "", 300).ok());
  auto nodes = store->Nodes();
  ASSERT_EQ(nodes->size(), 2u);
  EXPECT_EQ((*nodes)[0].first_seen_unix_ms, 100);
  EXPECT_EQ((*nodes)[0].last_seen_unix_ms, 200);
  EXPECT_EQ((*nodes)[0].hello, "two");
  ASSERT_TRUE(store->ForgetNode("n1").ok());
  EXPECT_EQ(store->Nodes()->front().node_id, "n2");

  ASSERT_TRUE(store
                  ->SeeNodes({{.node_id = "n2", .last_seen_unix_ms = 400, .hello = "again"},
                              {.node_id = "n3", .last_seen_unix_ms = 500, .hello = "new"}})
                  .ok());
  nodes = store->Nodes();
  ASSERT_EQ(nodes->size(), 2u);
  EXPECT_EQ((*nodes)[0].first_seen_unix_ms, 300);
  EXPECT_EQ((*nodes)[0].last_seen_unix_ms, 400);
  EXPECT_EQ((*nodes)[1].first_seen_unix_ms, 500);
  EXPECT_EQ((*nodes)[1].hello, "new");
}

TEST(VersionStoreTest, TextWithNulsAndQuotesIsOnlyText) {
  Folder folder;
  const auto store = Open(folder.path());
  const std::string message("'); DROP TABLE version; --\0x", 29);
  AddVersion(*store, message);
  EXPECT_EQ(store->Get(1)->message, message);
}

}  // namespace
}  // namespace sluice::store
