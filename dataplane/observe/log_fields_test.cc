#include "dataplane/observe/log_fields.h"

#include <gtest/gtest.h>

#include "common/base/testing_reference.h"
#include "nlohmann/json.hpp"

namespace sluice::observe {
namespace {

TEST(LogFieldsTest, ReferenceIsCurrent) {
  EXPECT_TRUE(
      base::testing::IsReferenceCurrent("docs/reference/log-fields.md", LogFieldsReference()));
}

TEST(LogFieldsTest, EveryFieldIsFoundByItsNameAndExplained) {
  for (size_t i = 0; i < kLogFieldCount; ++i) {
    const LogFieldRow& row = LogFieldTable()[i];
    EXPECT_EQ(LogFieldOf(row.name), static_cast<LogField>(i));
    EXPECT_FALSE(row.meaning.empty()) << row.name;
    const auto example = nlohmann::json::parse(row.example, nullptr, false);
    EXPECT_EQ(example.is_string(), row.quoted) << row.name;
  }
  EXPECT_EQ(LogFieldOf("nonsense"), std::nullopt);
}

}  // namespace
}  // namespace sluice::observe
