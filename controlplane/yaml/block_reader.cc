#include "controlplane/yaml/block_reader.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <charconv>

#include "common/base/check.h"
#include "common/base/nearest.h"
#include "common/base/utf8.h"

namespace sluice::yaml {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Longer keys are nobody's slip of the pen.
constexpr size_t kSuggestedBytesMax = 64;

std::string_view KindText(YamlNode node) {
  switch (node.kind()) {
    case NodeKind::kList:
      return "a list";
    case NodeKind::kMapping:
      return "a mapping (key: value)";
    case NodeKind::kScalar:
      return "a text";
    case NodeKind::kNull:
    case NodeKind::kRefused:
      return "nothing";
  }
  return "nothing";
}

std::string_view NearestKey(std::string_view word, const Block& block) {
  if (word.size() > kSuggestedBytesMax) return {};
  std::vector<std::string_view> words;
  for (const Key& key : block.keys) words.push_back(key.name);
  return base::NearestWord(word, words);
}

// The message that holds the last field of `path`, made on the way. Null when `only_existing` and
// the way leads through an action of a oneof that was not taken.
Message* Descend(Message* message, const std::vector<const FieldDescriptor*>& path,
                 bool only_existing) {
  for (size_t i = 0; i + 1 < path.size(); ++i) {
    const Reflection* reflection = message->GetReflection();
    const bool absent =
        path[i]->containing_oneof() != nullptr && !reflection->HasField(*message, path[i]);
    if (absent && only_existing) return nullptr;
    message = reflection->MutableMessage(message, path[i]);
  }
  return message;
}

void SetScalar(Message* message, const FieldDescriptor* field, std::string_view text,
               int64_t number) {
  const Reflection* reflection = message->GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32:
      if (field->is_repeated()) {
        reflection->AddUInt32(message, field, static_cast<uint32_t>(number));
      } else {
        reflection->SetUInt32(message, field, static_cast<uint32_t>(number));
      }
      return;
    case FieldDescriptor::CPPTYPE_UINT64:
      return reflection->SetUInt64(message, field, static_cast<uint64_t>(number));
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection->SetBool(message, field, number != 0);
    case FieldDescriptor::CPPTYPE_ENUM:
      return reflection->SetEnumValue(message, field, static_cast<int>(number));
    case FieldDescriptor::CPPTYPE_STRING:
      if (field->is_repeated()) {
        reflection->AddString(message, field, std::string(text));
      } else {
        reflection->SetString(message, field, std::string(text));
      }
      return;
    default:
      SLUICE_CHECK(!"a key's field has a type the reader does not know");
  }
}

}  // namespace

const Key* FindKey(const Block& block, std::string_view name) {
  for (const Key& key : block.keys) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

std::string Path::ToString() const {
  std::vector<const Path*> frames;
  for (const Path* frame = this; frame->parent_ != nullptr; frame = frame->parent_) {
    frames.push_back(frame);
  }
  std::string text;
  for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame) {
    if ((*frame)->index_ != kNoIndex) {
      text += fmt::format("[{}]", (*frame)->index_);
    } else {
      if (!text.empty()) text += '.';
      text += (*frame)->key_.substr(0, kSuggestedBytesMax);
    }
  }
  return text;
}

size_t Found::IndexOf(std::string_view key) const {
  const Key* known = FindKey(*block_, key);
  SLUICE_CHECK(known != nullptr);
  return static_cast<size_t>(known - block_->keys.data());
}

YamlNode Found::value(std::string_view key) const { return values_[IndexOf(key)]; }

std::string_view Found::text(std::string_view key) const {
  const size_t i = IndexOf(key);
  if (!values_[i] || refused_[i]) return {};
  return values_[i].text();
}

int64_t Found::integer(std::string_view key, int64_t otherwise) const {
  const std::string_view digits = text(key);
  if (!digits.empty()) std::from_chars(digits.data(), digits.data() + digits.size(), otherwise);
  return otherwise;
}

const std::vector<BlockReader::FieldPath>& BlockReader::FieldsOf(const Block& block) {
  const auto [entry, inserted] = fields_.try_emplace(&block);
  if (!inserted) return entry->second;
  SLUICE_CHECK(block.keys.size() <= kKeysOfBlockMax);
  for (const Key& key : block.keys) {
    FieldPath& path = entry->second.emplace_back();
    const auto* descriptor = key.field.empty() ? nullptr : block.message();
    for (std::string_view rest = key.field; !rest.empty();) {
      const std::string name(rest.substr(0, rest.find('.')));
      const FieldDescriptor* field = descriptor->FindFieldByName(name);
      SLUICE_CHECK(field != nullptr);
      path.push_back(field);
      descriptor = field->message_type();
      rest.remove_prefix(std::min(name.size() + 1, rest.size()));
    }
  }
  return entry->second;
}

Found BlockReader::Read(const Block& block, YamlNode node, const Path& path, Message* message,
                        FieldPlaces* places, const std::string& prefix) {
  Found found(block, node);
  if (node.kind() != NodeKind::kMapping) {
    found.valid_ = false;
    if (node.kind() != NodeKind::kRefused) {
      Refuse(node, path, fmt::format("must be a mapping (key: value), not {}", KindText(node)));
    }
    return found;
  }
  if (++blocks_ > kBlocksMax) {
    found.valid_ = false;
    if (blocks_ == kBlocksMax + 1) {
      Refuse(node, path, fmt::format("the document has more than {} mappings", kBlocksMax));
    }
    return found;
  }
  const std::vector<FieldPath>& fields = FieldsOf(block);
  const Target target{message, places, prefix};
  for (YamlNode key_node = node.first(); key_node;) {
    const YamlNode value = key_node.next_in(node);
    if (!value) break;
    if (key_node.kind() == NodeKind::kScalar) {
      const Path key_path(path, key_node.text());
      if (const Key* key = FindKey(block, key_node.text())) {
        const auto i = static_cast<size_t>(key - block.keys.data());
        found.values_[i] = value;
        if (!ReadKey(*key, fields[i], value, key_path, target)) found.refused_[i] = true;
        if (found.refused_[i]) found.valid_ = false;
      } else if (key_node.text() != "<<" || key_node.quoted()) {
        found.valid_ = false;
        ReportUnknownKey(block, key_node, key_path);
      }
    }
    key_node = value.next_in(node);
  }
  for (size_t i = 0; i < block.keys.size(); ++i) {
    if (!block.keys[i].required || found.values_[i]) continue;
    found.valid_ = false;
    Refuse(node, path, fmt::format("the key '{}' is missing", block.keys[i].name));
  }
  CheckExactlyOne(&found, path);
  for (size_t i = 0; message != nullptr && i < block.keys.size(); ++i) {
    if (!found.values_[i]) ApplyDefault(block.keys[i], fields[i], message);
  }
  return found;
}

void BlockReader::ApplyDefaults(const Block& block, Message* message) {
  const std::vector<FieldPath>& fields = FieldsOf(block);
  for (size_t i = 0; i < block.keys.size(); ++i) ApplyDefault(block.keys[i], fields[i], message);
}

void BlockReader::ApplyDefault(const Key& key, const FieldPath& field, Message* message) {
  const bool is_block = key.kind == KeyKind::kBlock;
  const bool has_default = is_block ? key.without.empty() : !key.initial.empty();
  if (field.empty() || !has_default) return;
  Message* holder = Descend(message, field, true);
  if (holder == nullptr) return;
  if (is_block) {
    return ApplyDefaults(*key.block, holder->GetReflection()->MutableMessage(holder, field.back()));
  }
  int64_t number = 0;
  const std::string wrong = ParseWord(key, key.initial, &number);
  SLUICE_CHECK(wrong.empty());  // A default the table itself forbids.
  SetScalar(holder, field.back(), key.initial, number);
}

bool BlockReader::ExpectList(YamlNode node, const Path& path, size_t items_max) {
  if (node.kind() == NodeKind::kRefused) return false;
  if (node.kind() == NodeKind::kNull) {
    return Refuse(node, path, "the key has no value; give it one, or remove it");
  }
  if (node.kind() != NodeKind::kList) {
    return Refuse(node, path,
                  fmt::format("must be a list ('- ...' lines), not {}", KindText(node)));
  }
  size_t items = 0;
  for (YamlNode item = node.first(); item; item = item.next_in(node)) ++items;
  if (items <= items_max) return true;
  return Refuse(node, path,
                fmt::format("{} entries are too many; {} are allowed", items, items_max));
}

bool BlockReader::Refuse(YamlNode node, const Path& path, std::string_view message) {
  problems_->Error(node.place(), path.ToString(), message);
  return false;
}

void BlockReader::ReportUnknownKey(const Block& block, YamlNode key, const Path& path) {
  const std::string_view nearest = NearestKey(key.text(), block);
  if (!nearest.empty()) {
    Refuse(key, path,
           fmt::format("unknown key {}; did you mean '{}'?", Quoted(key.text()), nearest));
    return;
  }
  std::string known;
  for (const Key& k : block.keys) known += fmt::format("{}{}", known.empty() ? "" : ", ", k.name);
  Refuse(key, path, fmt::format("unknown key {}; known here: {}", Quoted(key.text()), known));
}

void BlockReader::CheckExactlyOne(Found* found, const Path& path) {
  std::vector<std::string_view> given;
  std::string all;
  for (const std::string_view key : found->block_->exactly_one_of) {
    if (found->has(key)) given.push_back(key);
    all += fmt::format("{}'{}'", all.empty() ? "" : ", ", key);
  }
  if (all.empty() || given.size() == 1) return;
  found->valid_ = false;
  if (given.empty()) {
    Refuse(found->node(), path, fmt::format("one of {} is needed", all));
    return;
  }
  Refuse(found->value(given[1]), Path(path, given[1]),
         fmt::format("'{}' and '{}' exclude each other; keep one", given[0], given[1]));
}

bool BlockReader::ReadKey(const Key& key, const FieldPath& field, YamlNode node, const Path& path,
                          const Target& target) {
  if (node.kind() == NodeKind::kRefused) return false;
  if (node.kind() == NodeKind::kNull) {
    return Refuse(node, path, "the key has no value; give it one, or remove it");
  }
  const bool kept = !field.empty() && target.message != nullptr;
  if (kept && target.places != nullptr) {
    target.places->emplace_back(target.prefix + std::string(key.field), node.place());
  }
  switch (key.kind) {
    case KeyKind::kTexts:
    case KeyKind::kIntegers:
    case KeyKind::kBlocks:
      return ReadList(key, field, node, path, target);
    case KeyKind::kTextMap:
      return ReadTextMap(key, field, node, path, target);
    case KeyKind::kBlock: {
      if (!kept) return true;  // Read by hand.
      Message* holder = Descend(target.message, field, false);
      Message* inner = holder->GetReflection()->MutableMessage(holder, field.back());
      const std::string prefix = target.prefix + std::string(key.field) + ".";
      return Read(*key.block, node, path, inner, target.places, prefix).valid();
    }
    default:
      break;
  }
  Value value;
  if (!ReadScalar(key, node, path, &value)) return false;
  if (kept)
    SetScalar(Descend(target.message, field, false), field.back(), value.text, value.number);
  return true;
}

bool BlockReader::ReadList(const Key& key, const FieldPath& field, YamlNode node, const Path& path,
                           const Target& target) {
  if (key.kind == KeyKind::kBlocks && field.empty()) return true;  // Read by hand.
  if (!ExpectList(node, path)) return false;
  Message* holder = field.empty() ? nullptr : Descend(target.message, field, false);
  Key item_key = key;
  item_key.kind = key.kind == KeyKind::kIntegers ? KeyKind::kInteger
                  : key.choices.empty()          ? KeyKind::kText
                                                 : KeyKind::kChoice;
  bool valid = true;
  size_t index = 0;
  for (YamlNode item = node.first(); item; item = item.next_in(node), ++index) {
    const Path item_path(path, index);
    const std::string at = fmt::format("{}{}[{}]", target.prefix, key.field, index);
    if (key.kind == KeyKind::kBlocks) {
      Message* added = holder->GetReflection()->AddMessage(holder, field.back());
      if (target.places != nullptr) target.places->emplace_back(at, item.place());
      valid &= Read(*key.block, item, item_path, added, target.places, at + ".").valid();
      continue;
    }
    Value value;
    if (!ReadScalar(item_key, item, item_path, &value)) {
      valid = false;
      continue;
    }
    if (holder != nullptr) SetScalar(holder, field.back(), value.text, value.number);
    if (holder != nullptr && target.places != nullptr) {
      target.places->emplace_back(at, item.place());
    }
  }
  return valid;
}

bool BlockReader::ReadTextMap(const Key& key, const FieldPath& field, YamlNode node,
                              const Path& path, const Target& target) {
  if (node.kind() != NodeKind::kMapping) {
    return Refuse(node, path,
                  fmt::format("must be a mapping (key: value), not {}", KindText(node)));
  }
  const bool kept = !field.empty() && target.message != nullptr;
  Message* holder = kept ? Descend(target.message, field, false) : nullptr;
  Key value_key = key;
  value_key.kind = KeyKind::kText;
  bool valid = true;
  size_t index = 0;
  for (YamlNode name = node.first(); name;) {
    const YamlNode value = name.next_in(node);
    if (!value) break;
    const std::string_view text = name.kind() == NodeKind::kScalar ? name.text() : "?";
    const Path value_path(path, text);
    Value word;
    if (!ReadScalar(value_key, value, value_path, &word)) {
      valid = false;
    } else if (holder != nullptr) {
      const std::string pair = fmt::format("{}={}", text, word.text);
      const std::string wrong = key.pair_check(pair);
      if (!wrong.empty()) valid = Refuse(value, value_path, wrong);
      SetScalar(holder, field.back(), pair, 0);
      if (target.places != nullptr) {
        target.places->emplace_back(fmt::format("{}{}[{}]", target.prefix, key.field, index),
                                    value.place());
      }
    }
    ++index;
    name = value.next_in(node);
  }
  return valid;
}

bool BlockReader::ReadScalar(const Key& key, YamlNode node, const Path& path, Value* value) {
  if (node.kind() == NodeKind::kRefused) return false;
  if (node.kind() == NodeKind::kNull) return Refuse(node, path, "the value is empty; give it one");
  const bool is_text = key.kind == KeyKind::kText || key.kind == KeyKind::kChoice;
  if (node.kind() != NodeKind::kScalar) {
    const std::string_view wanted = is_text                          ? "a text"
                                    : key.kind == KeyKind::kFlag     ? "true or false"
                                    : key.kind == KeyKind::kDuration ? "a duration like 5s"
                                    : key.kind == KeyKind::kRatio    ? "a number from 0 to 1"
                                                                     : "a whole number";
    return Refuse(node, path, fmt::format("must be {}, not {}", wanted, KindText(node)));
  }
  value->text = node.text();
  if (!base::IsUtf8(value->text)) return Refuse(node, path, "the text is not UTF-8");
  std::string wrong = ParseWord(key, value->text, &value->number);
  const bool bare =
      key.kind == KeyKind::kFlag || key.kind == KeyKind::kInteger || key.kind == KeyKind::kRatio;
  if (wrong.empty() && bare && node.quoted()) {
    wrong = fmt::format("must not be a text; remove the quotes around {}", value->text);
  }
  return wrong.empty() || Refuse(node, path, wrong);
}

}  // namespace sluice::yaml
