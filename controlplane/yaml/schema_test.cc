// The schema and the reference are what the tables say, and the schema accepts what the reader
// accepts.
#include "controlplane/yaml/schema.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>

#include "common/base/file.h"
#include "common/base/testing_reference.h"
#include "controlplane/yaml/format.h"
#include "controlplane/yaml/node.h"
#include "controlplane/yaml/reference.h"

namespace sluice::yaml {
namespace {

using Json = nlohmann::json;

std::string FileText(const std::string& path) {
  return base::ReadFile(path, 1 << 22).value_or("(cannot be read)");
}

TEST(ReferenceTest, SchemaIsCurrent) {
  EXPECT_TRUE(base::testing::IsReferenceCurrent("docs/sluice.schema.json", WriteJsonSchema()));
}

TEST(ReferenceTest, ConfigurationIsCurrent) {
  EXPECT_TRUE(base::testing::IsReferenceCurrent("docs/reference/configuration.md",
                                                ConfigurationReference()));
}

// A YAML value as JSON, plain scalars by the rules of YAML 1.2's core schema.
Json ToJson(YamlNode node) {
  switch (node.kind()) {
    case NodeKind::kList: {
      Json list = Json::array();
      for (YamlNode item = node.first(); item; item = item.next_in(node))
        list.push_back(ToJson(item));
      return list;
    }
    case NodeKind::kMapping: {
      Json object = Json::object();
      for (YamlNode key = node.first(); key;) {
        const YamlNode value = key.next_in(node);
        object[std::string(key.text())] = ToJson(value);
        key = value.next_in(node);
      }
      return object;
    }
    case NodeKind::kScalar: {
      const std::string text(node.text());
      if (node.quoted()) return text;
      if (text == "true" || text == "false") return text == "true";
      if (std::regex_match(text, std::regex("-?[0-9]+"))) return std::stoll(text);
      if (std::regex_match(text, std::regex("[0-9]+\\.[0-9]+"))) return std::stod(text);
      return text;
    }
    default:
      return nullptr;
  }
}

// The part of JSON Schema the generator uses; anything else in a schema fails the test.
void Check(const Json& schema, const Json& value, const std::string& at,
           std::vector<std::string>* wrong) {
  for (const auto& [keyword, rule] : schema.items()) {
    if (keyword == "type") {
      const bool fits =
          (rule == "object" && value.is_object()) || (rule == "array" && value.is_array()) ||
          (rule == "string" && value.is_string()) ||
          (rule == "integer" && value.is_number_integer()) ||
          (rule == "number" && value.is_number()) || (rule == "boolean" && value.is_boolean());
      if (!fits) wrong->push_back(at + ": is no " + rule.get<std::string>());
    } else if (keyword == "properties" && value.is_object()) {
      for (const auto& [key, inner] : value.items()) {
        if (rule.contains(key)) Check(rule[key], inner, at + "." + key, wrong);
      }
    } else if (keyword == "additionalProperties" && value.is_object()) {
      for (const auto& [key, inner] : value.items()) {
        if (schema.contains("properties") && schema["properties"].contains(key)) continue;
        if (rule == false) wrong->push_back(at + ": unknown " + key);
        if (rule.is_object()) Check(rule, inner, at + "." + key, wrong);
      }
    } else if (keyword == "required" && value.is_object()) {
      for (const auto& key : rule) {
        if (!value.contains(key)) wrong->push_back(at + ": misses " + key.get<std::string>());
      }
    } else if (keyword == "oneOf") {
      int fits = 0;
      for (const auto& choice : rule) {
        std::vector<std::string> inner;
        Check(choice, value, at, &inner);
        fits += inner.empty() ? 1 : 0;
      }
      if (fits != 1) wrong->push_back(at + ": not exactly one of the choices");
    } else if (keyword == "items" && value.is_array()) {
      for (size_t i = 0; i < value.size(); ++i) {
        Check(rule, value[i], at + "[" + std::to_string(i) + "]", wrong);
      }
    } else if (keyword == "enum") {
      if (std::find(rule.begin(), rule.end(), value) == rule.end()) wrong->push_back(at + ": word");
    } else if (keyword == "minimum" && value.is_number()) {
      if (value < rule) wrong->push_back(at + ": too small");
    } else if (keyword == "maximum" && value.is_number()) {
      if (value > rule) wrong->push_back(at + ": too large");
    } else if (keyword == "pattern" && value.is_string()) {
      if (!std::regex_match(value.get<std::string>(), std::regex(rule.get<std::string>()))) {
        wrong->push_back(at + ": pattern");
      }
    } else {
      static const std::vector<std::string> kKnown = {
          "$schema",  "title", "description", "default", "properties", "additionalProperties",
          "required", "items", "minimum",     "maximum", "pattern"};
      EXPECT_NE(std::find(kKnown.begin(), kKnown.end(), keyword), kKnown.end()) << keyword;
    }
  }
}

std::vector<std::string> CheckText(const std::string& yaml) {
  Problems problems({"test"});
  PreparedText text;
  EXPECT_TRUE(PrepareText(yaml, 0, &text, &problems));
  const auto tree = Tree::Parse(text, 0, &problems);
  EXPECT_NE(tree, nullptr);
  std::vector<std::string> wrong;
  if (tree != nullptr) Check(Json::parse(WriteJsonSchema()), ToJson(tree->root()), "", &wrong);
  return wrong;
}

TEST(SchemaTest, AcceptsEveryExample) {
  size_t examples = 0;
  const std::string folder = "deploy/examples";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".yaml") continue;
    ++examples;
    EXPECT_EQ(CheckText(FileText(entry.path())), std::vector<std::string>()) << entry.path();
  }
  EXPECT_GE(examples, 4u);
}

TEST(SchemaTest, RefusesWhatTheReaderRefuses) {
  const auto wrong = [](const std::string& yaml) { return CheckText(yaml).size(); };
  EXPECT_EQ(wrong("sever: {}\n"), 1u);
  EXPECT_EQ(wrong("server: {worker_threads: '8'}\n"), 1u);
  EXPECT_EQ(wrong("server: {worker_threads: 1025}\n"), 1u);
  EXPECT_EQ(wrong("server: {log_level: loud}\n"), 1u);
  EXPECT_EQ(wrong("admin: {enabled: yes}\n"), 1u);
  EXPECT_EQ(wrong("services: [{name: a}]\n"), 2u);
  EXPECT_EQ(wrong("services: [{name: a, bind_address: x, routes: [{name: r}]}]\n"), 1u);
  EXPECT_EQ(wrong("services: [{name: a, bind_address: x, routes: [], timeouts: {idle: 5x}}]\n"),
            1u);
}

// The proxies' own table is in the other plane; its page in the reference is current, says a test
// there.
TEST(SchemaTest, LogFieldsAreThoseOfTheProxies) {
  const std::string page = FileText("docs/reference/log-fields.md");
  const std::regex row("\n\\| `(\\w+)` \\|");
  std::vector<std::string> of_proxies;
  for (auto match = std::sregex_iterator(page.begin(), page.end(), row);
       match != std::sregex_iterator(); ++match) {
    of_proxies.push_back((*match)[1]);
  }
  const std::string schema = WriteJsonSchema();
  std::string words;
  for (const std::string& field : of_proxies) {
    words += (words.empty() ? "\"" : ",\"") + field + "\"";
  }
  EXPECT_GT(of_proxies.size(), 20u);
  std::string compact;
  for (const char c : schema) {
    if (c != ' ' && c != '\n') compact += c;
  }
  EXPECT_NE(compact.find("\"enum\":[" + words + "]"), std::string::npos) << words;
}

// full.yaml shows every key there is.
void ExpectShown(const Block& block, const std::vector<Json>& values) {
  for (const Key& key : block.keys) {
    std::vector<Json> inner;
    for (const Json& value : values) {
      if (!value.contains(key.name)) continue;
      const Json& found = value[std::string(key.name)];
      if (found.is_array() && key.block != nullptr) {
        inner.insert(inner.end(), found.begin(), found.end());
      } else {
        inner.push_back(found);
      }
    }
    EXPECT_FALSE(inner.empty()) << block.title << " " << key.name;
    if (key.block != nullptr && !inner.empty()) ExpectShown(*key.block, inner);
  }
}

TEST(SchemaTest, FullExampleShowsEveryKey) {
  const std::string yaml = FileText("deploy/examples/full.yaml");
  Problems problems({"full.yaml"});
  PreparedText text;
  ASSERT_TRUE(PrepareText(yaml, 0, &text, &problems));
  const auto tree = Tree::Parse(text, 0, &problems);
  ASSERT_NE(tree, nullptr);
  const Json document = ToJson(tree->root());
  for (const Key& key : kDocumentBlock.keys) ASSERT_TRUE(document.contains(key.name)) << key.name;
  for (const Key& key : kDocumentBlock.keys) {
    // The shared upstreams have all keys of those in routes, which are shown there.
    if (key.name == "upstreams") continue;
    const Json& value = document[std::string(key.name)];
    ExpectShown(*key.block, value.is_array() ? std::vector<Json>(value.begin(), value.end())
                                             : std::vector<Json>{value});
  }
}

}  // namespace
}  // namespace sluice::yaml
