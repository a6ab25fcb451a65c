// Transactions that are written down, and repeated by another copy of the database.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "controlplane/store/database.h"
#include "controlplane/store/testing_folder.h"

namespace sluice::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kTables[] = R"sql(
CREATE TABLE journal (id INTEGER PRIMARY KEY CHECK (id = 1), log TEXT NOT NULL,
                      position INTEGER NOT NULL, entry TEXT NOT NULL);
INSERT INTO journal VALUES (1, 'l', 0, '');
CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, body BLOB);
CREATE TABLE child (parent INTEGER NOT NULL REFERENCES parent ON DELETE CASCADE,
                    position INTEGER NOT NULL, PRIMARY KEY (parent, position)) WITHOUT ROWID;
)sql";

class FakeJournal final : public Journal {
 public:
  absl::StatusOr<std::string> Append(const JournalMark& last, std::string changeset) override {
    if (!answer.ok()) return answer;
    EXPECT_EQ(last.log, "l");
    EXPECT_EQ(last.position, static_cast<int64_t>(entries.size()));
    EXPECT_EQ(last.entry, entries.empty() ? "" : IdOf(last.position));
    entries.push_back(std::move(changeset));
    return IdOf(last.position + 1);
  }
  static std::string IdOf(int64_t position) { return "id" + std::to_string(position); }
  void OnBehind(const absl::Status& why) override { behind = why; }

  absl::Status answer;
  std::vector<std::string> entries;
  std::optional<absl::Status> behind;
};

class JournalTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (std::optional<Database>* database : {&leader_, &follower_}) {
      const std::string name = database == &leader_ ? "leader.db" : "follower.db";
      auto opened = Database::Open(folder_.path() + "/" + name);
      ASSERT_TRUE(opened.ok()) << opened.status();
      database->emplace(*std::move(opened));
      ASSERT_TRUE((*database)->Execute(kTables).ok());
    }
    leader_->SetJournal(&journal_);
  }

  absl::Status Write(const std::vector<std::string>& statements) {
    Transaction transaction(*leader_);
    if (const absl::Status begun = transaction.Begin(); !begun.ok()) return begun;
    for (const std::string& sql : statements) {
      if (const absl::Status status = leader_->Execute(sql); !status.ok()) return status;
    }
    return transaction.Commit();
  }
  void Follow() {
    for (int64_t next = follower_->Mark()->position;
         next < static_cast<int64_t>(journal_.entries.size()); ++next) {
      const absl::Status applied = follower_->Apply(next + 1, FakeJournal::IdOf(next + 1),
                                                    journal_.entries[static_cast<size_t>(next)]);
      ASSERT_TRUE(applied.ok()) << applied;
    }
  }
  static std::vector<std::string> Rows(Database& database) {
    std::vector<std::string> rows;
    Statement select = database.Prepare(
        "SELECT id || ' ' || name || ' ' || coalesce(body, '-') || ' ' || "
        "(SELECT count(*) FROM child WHERE parent = parent.id) FROM parent ORDER BY id");
    while (*select.Step()) rows.push_back(select.Text(0));
    return rows;
  }

  testing::Folder folder_;
  FakeJournal journal_;
  std::optional<Database> leader_, follower_;
};

TEST_F(JournalTest, ACopyRepeatsWhatWasWritten) {
  ASSERT_TRUE(Write({"INSERT INTO parent (name, body) VALUES ('a', x'00ff')",
                     "INSERT INTO child VALUES (1, 0), (1, 1)"})
                  .ok());
  ASSERT_TRUE(Write({"INSERT INTO parent (name) VALUES ('b')"}).ok());
  ASSERT_TRUE(Write({"UPDATE parent SET name = 'c' WHERE id = 2"}).ok());
  EXPECT_THAT(journal_.entries, SizeIs(3));
  EXPECT_EQ(leader_->Mark()->position, 3);
  Follow();
  EXPECT_EQ(Rows(*follower_), Rows(*leader_));
  EXPECT_THAT(Rows(*follower_), SizeIs(2));
  EXPECT_EQ(follower_->Mark()->position, 3);
}

TEST_F(JournalTest, RowsThatGoWithTheirParentGoEverywhere) {
  ASSERT_TRUE(Write({"INSERT INTO parent (name) VALUES ('a'), ('b')",
                     "INSERT INTO child VALUES (1, 0), (1, 1), (2, 0)"})
                  .ok());
  ASSERT_TRUE(Write({"DELETE FROM parent WHERE id = 1"}).ok());
  Follow();
  EXPECT_EQ(Rows(*follower_), Rows(*leader_));
  EXPECT_THAT(Rows(*follower_), ElementsAre("2 b - 1"));
}

TEST_F(JournalTest, NumbersGoOnWhereTheyWereAfterALeaderHasGone) {
  ASSERT_TRUE(Write({"INSERT INTO parent (name) VALUES ('a'), ('b')"}).ok());
  ASSERT_TRUE(Write({"DELETE FROM parent WHERE id = 2"}).ok());
  Follow();
  // A number is never given twice, by whoever leads.
  ASSERT_TRUE(follower_->Execute("INSERT INTO parent (name) VALUES ('c')").ok());
  EXPECT_EQ(follower_->last_id(), 3);
}

TEST_F(JournalTest, WhatCannotBeWrittenDownDidNotHappen) {
  ASSERT_TRUE(Write({"INSERT INTO parent (name) VALUES ('a')"}).ok());
  journal_.answer = absl::UnavailableError("nobody answers");
  EXPECT_EQ(Write({"INSERT INTO parent (name) VALUES ('b')"}), journal_.answer);
  EXPECT_THAT(Rows(*leader_), SizeIs(1));
  EXPECT_EQ(leader_->Mark()->position, 1);
  EXPECT_FALSE(journal_.behind.has_value());
}

TEST_F(JournalTest, AWriteOutsideOfATransactionIsRefused) {
  EXPECT_FALSE(leader_->Prepare("INSERT INTO parent (name) VALUES ('a')").Run().ok());
  EXPECT_THAT(Rows(*leader_), IsEmpty());
  EXPECT_TRUE(InTransaction(*leader_, [this] {
                return leader_->Prepare("INSERT INTO parent (name) VALUES ('a')").Run();
              }).ok());
  EXPECT_THAT(Rows(*leader_), SizeIs(1));
}

TEST_F(JournalTest, ATransactionThatChangesNothingIsNotWrittenDown) {
  ASSERT_TRUE(Write({"UPDATE parent SET name = 'x'"}).ok());
  ASSERT_TRUE(Write({}).ok());
  EXPECT_THAT(journal_.entries, IsEmpty());
}

TEST_F(JournalTest, EntriesAreTakenInTheirOrderOnly) {
  ASSERT_TRUE(Write({"INSERT INTO parent (name) VALUES ('a')"}).ok());
  ASSERT_TRUE(Write({"INSERT INTO parent (name) VALUES ('b')"}).ok());
  EXPECT_TRUE(absl::IsDataLoss(follower_->Apply(2, "e", journal_.entries[1])));
  EXPECT_TRUE(follower_->Apply(1, "e", journal_.entries[0]).ok());
  EXPECT_TRUE(absl::IsDataLoss(follower_->Apply(1, "e", journal_.entries[0])));
}

// The session extension gives NULL for columns that a row does not have yet.
TEST_F(JournalTest, RowsFromBeforeAColumnCameCanGo) {
  for (std::optional<Database>* database : {&leader_, &follower_}) {
    (*database)->SetJournal(nullptr);
    ASSERT_TRUE((*database)->Execute("INSERT INTO parent (name) VALUES ('old')").ok());
    ASSERT_TRUE(
        (*database)->Execute("ALTER TABLE parent ADD COLUMN role TEXT NOT NULL DEFAULT ''").ok());
  }
  leader_->SetJournal(&journal_);
  ASSERT_TRUE(Write({"DELETE FROM parent"}).ok());
  Follow();
  EXPECT_THAT(Rows(*follower_), IsEmpty());
}

TEST_F(JournalTest, WhatDoesNotFitIsRefusedWhole) {
  ASSERT_TRUE(Write({"INSERT INTO parent (name) VALUES ('a'), ('b')"}).ok());
  ASSERT_TRUE(follower_->Execute("INSERT INTO parent (name) VALUES ('other')").ok());
  EXPECT_TRUE(absl::IsDataLoss(follower_->Apply(1, "e", journal_.entries[0])));
  EXPECT_THAT(Rows(*follower_), ElementsAre("1 other - 0"));
  EXPECT_TRUE(absl::IsDataLoss(follower_->Apply(1, "e", "no changeset")));
  EXPECT_EQ(follower_->Mark()->position, 0);
}

}  // namespace
}  // namespace sluice::store
