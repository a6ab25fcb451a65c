#include "controlplane/yaml/schema.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "controlplane/yaml/block_reader.h"
#include "controlplane/yaml/format.h"

namespace sluice::yaml {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kDurationPattern[] = "^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$";

Json BlockSchema(const Block& block);

Json WordsSchema(const Key& key) {
  Json schema = {{"type", "string"}};
  for (const Choice& choice : key.choices) schema["enum"].push_back(std::string(choice.word));
  return schema;
}

Json IntegerSchema(const Key& key) {
  Json schema = {{"type", "integer"}, {"minimum", key.min}};
  if (key.max != std::numeric_limits<int64_t>::max()) schema["maximum"] = key.max;
  return schema;
}

Json ValueSchema(const Key& key) {
  switch (key.kind) {
    case KeyKind::kText:
      return {{"type", "string"}};
    case KeyKind::kChoice:
      return WordsSchema(key);
    case KeyKind::kTexts:
      return {{"type", "array"}, {"items", WordsSchema(key)}};
    case KeyKind::kTextMap:
      return {{"type", "object"}, {"additionalProperties", {{"type", "string"}}}};
    case KeyKind::kFlag:
      return {{"type", "boolean"}};
    case KeyKind::kInteger:
      return IntegerSchema(key);
    case KeyKind::kIntegers:
      return {{"type", "array"}, {"items", IntegerSchema(key)}};
    case KeyKind::kRatio:
      return {{"type", "number"}, {"minimum", 0}, {"maximum", 1}};
    case KeyKind::kDuration:
      return {{"type", "string"}, {"pattern", kDurationPattern}};
    case KeyKind::kBlock:
      return BlockSchema(*key.block);
    case KeyKind::kBlocks:
      return {{"type", "array"}, {"items", BlockSchema(*key.block)}};
  }
  return {};
}

Json DefaultOf(const Key& key) {
  if (key.kind == KeyKind::kFlag) return key.initial == "true";
  if (key.kind != KeyKind::kInteger) return std::string(key.initial);
  int64_t number = 0;
  ParseWord(key, key.initial, &number);
  return number / key.scale;
}

Json BlockSchema(const Block& block) {
  Json schema = {{"type", "object"},
                 {"description", std::string(block.doc)},
                 {"additionalProperties", false},
                 {"properties", Json::object()}};
  for (const Key& key : block.keys) {
    Json value = ValueSchema(key);
    value["description"] =
        std::string(key.doc);  // What it means here, before what it is in general.
    if (!key.initial.empty()) value["default"] = DefaultOf(key);
    schema["properties"][std::string(key.name)] = std::move(value);
    if (key.required) schema["required"].push_back(std::string(key.name));
  }
  for (const std::string_view key : block.exactly_one_of) {
    schema["oneOf"].push_back({{"required", Json::array({std::string(key)})}});
  }
  return schema;
}

}  // namespace

std::string WriteJsonSchema() {
  Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                 {"title", "Sluice configuration"}};
  schema.update(BlockSchema(kDocumentBlock));
  return schema.dump(2) + "\n";
}

}  // namespace sluice::yaml
