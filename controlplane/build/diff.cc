#include "controlplane/build/diff.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "common/base/escape.h"
#include "common/base/hash.h"
#include "sluice/v1/certificate.pb.h"
#include "sluice/v1/cluster.pb.h"
#include "sluice/v1/listener.pb.h"
#include "sluice/v1/route.pb.h"
#include "sluice/v1/settings.pb.h"

namespace sluice::build {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Of one resource; what is beyond is counted.
constexpr int kLinesMax = 2000;

std::unique_ptr<Message> Parse(const v1::Resource& resource) {
  std::unique_ptr<Message> message;
  switch (resource.kind()) {
    case v1::RESOURCE_KIND_SETTINGS:
      message = std::make_unique<v1::Settings>();
      break;
    case v1::RESOURCE_KIND_LISTENER:
      message = std::make_unique<v1::Listener>();
      break;
    case v1::RESOURCE_KIND_ROUTE_TABLE:
      message = std::make_unique<v1::RouteTable>();
      break;
    case v1::RESOURCE_KIND_CLUSTER:
      message = std::make_unique<v1::Cluster>();
      break;
    case v1::RESOURCE_KIND_CERTIFICATE:
      message = std::make_unique<v1::Certificate>();
      break;
    default:
      return nullptr;  // Of another release.
  }
  if (!message->ParseFromString(resource.body())) return nullptr;
  return message;
}

// What tells the items of a list apart; null: only their position does.
const FieldDescriptor* KeyFieldOf(const google::protobuf::Descriptor* type) {
  for (const char* name : {"name", "address", "cluster"}) {
    if (const FieldDescriptor* field = type->FindFieldByName(name)) return field;
  }
  return nullptr;
}

std::string Shown(std::string_view text) {
  std::string shown = "'";
  base::AppendPlainEscaped(&shown, text);
  return shown + "'";
}

// Bytes are keys and certificates: too long to read, and not to be read.
std::string Digest(std::string_view bytes) {
  return "sha256:" + base::HexEncode(base::Sha256(bytes));
}

// One scalar; `index` is -1 unless the field is repeated.
std::string ScalarText(const Message& message, const FieldDescriptor* field, int index) {
  const Reflection* reflection = message.GetReflection();
  std::string scratch;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string& text =
          index < 0 ? reflection->GetStringReference(message, field, &scratch)
                    : reflection->GetRepeatedStringReference(message, field, index, &scratch);
      return field->type() == FieldDescriptor::TYPE_BYTES ? Digest(text) : Shown(text);
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection->GetBool(message, field) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_ENUM: {
      std::string name = reflection->GetEnum(message, field)->name();
      std::transform(name.begin(), name.end(), name.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      });
      constexpr std::string_view kPrefix = "lb_strategy_";
      return name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name;
    }
    case FieldDescriptor::CPPTYPE_UINT32:
      return std::to_string(index < 0 ? reflection->GetUInt32(message, field)
                                      : reflection->GetRepeatedUInt32(message, field, index));
    case FieldDescriptor::CPPTYPE_UINT64:
      return std::to_string(reflection->GetUInt64(message, field));
    default:
      return "?";
  }
}

// The field's value; nothing for an empty text or list, which reads as "not there".
std::string ValueText(const Message& message, const FieldDescriptor* field) {
  if (!field->is_repeated()) {
    const bool text = field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
    const bool unset = !message.GetReflection()->HasField(message, field);
    return text && unset ? std::string() : ScalarText(message, field, -1);
  }
  const int size = message.GetReflection()->FieldSize(message, field);
  std::string list;
  for (int i = 0; i < size; ++i) {
    list += fmt::format("{}{}", i == 0 ? "[" : ", ", ScalarText(message, field, i));
  }
  return list.empty() ? list : list + "]";
}

// The indices of a longest run of `positions` that only grows: what was not moved.
std::vector<bool> Unmoved(const std::vector<int>& positions) {
  std::vector<int> ends;  // ends[n]: index of the least end of a run of length n + 1.
  std::vector<int> before(positions.size(), -1);
  for (int i = 0; i < static_cast<int>(positions.size()); ++i) {
    const auto at = std::lower_bound(ends.begin(), ends.end(), i, [&](int a, int b) {
      return positions[static_cast<size_t>(a)] < positions[static_cast<size_t>(b)];
    });
    if (at != ends.begin()) before[static_cast<size_t>(i)] = *(at - 1);
    if (at == ends.end()) {
      ends.push_back(i);
    } else {
      *at = i;
    }
  }
  std::vector<bool> unmoved(positions.size(), false);
  for (int i = ends.empty() ? -1 : ends.back(); i >= 0; i = before[static_cast<size_t>(i)]) {
    unmoved[static_cast<size_t>(i)] = true;
  }
  return unmoved;
}

class Differ {
 public:
  explicit Differ(v1::ResourceChange* change) : change_(change) {}
  ~Differ() {
    if (more_ > 0) change_->add_lines(fmt::format("... and {} more lines", more_));
  }

  void Compare(const std::string& path, const Message& from, const Message& to) {
    const auto* type = from.GetDescriptor();
    for (int i = 0; i < type->field_count(); ++i) {
      const FieldDescriptor* field = type->field(i);
      const std::string at = path.empty() ? field->name() : path + "." + field->name();
      if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
        const std::string a = ActiveText(from, field);
        const std::string b = ActiveText(to, field);
        if (a == b) continue;
        if (!a.empty()) Line('-', at, a);
        if (!b.empty()) Line('+', at, b);
      } else if (field->is_repeated()) {
        CompareLists(at, field, from, to);
      } else {
        CompareMessages(at, field, from, to);
      }
    }
  }

  // Everything that is set, as added or removed.
  void List(char sign, const std::string& path, const Message& message) {
    const Reflection* reflection = message.GetReflection();
    std::vector<const FieldDescriptor*> fields;
    reflection->ListFields(message, &fields);
    for (const FieldDescriptor* field : fields) {
      const std::string at = path.empty() ? field->name() : path + "." + field->name();
      if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
        Line(sign, at, ValueText(message, field));
      } else if (!field->is_repeated()) {
        List(sign, at, reflection->GetMessage(message, field));
      } else {
        for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
          const Message& item = reflection->GetRepeatedMessage(message, field, i);
          List(sign, fmt::format("{}[{}]", at, KeyOf(item, i)), item);
        }
      }
    }
  }

 private:
  // Fields of an action that is not taken have no value at all.
  static std::string ActiveText(const Message& message, const FieldDescriptor* field) {
    const bool other =
        field->containing_oneof() != nullptr && !message.GetReflection()->HasField(message, field);
    return other ? std::string() : ValueText(message, field);
  }

  static std::string KeyOf(const Message& item, int index) {
    const FieldDescriptor* key = KeyFieldOf(item.GetDescriptor());
    if (key == nullptr) return std::to_string(index);
    return item.GetReflection()->GetString(item, key);
  }

  void CompareMessages(const std::string& at, const FieldDescriptor* field, const Message& from,
                       const Message& to) {
    const Reflection* reflection = from.GetReflection();
    const bool before = reflection->HasField(from, field);
    const bool after = reflection->HasField(to, field);
    if (before && after) {
      Compare(at, reflection->GetMessage(from, field), reflection->GetMessage(to, field));
    } else if (before) {
      ListOrName('-', at, reflection->GetMessage(from, field));
    } else if (after) {
      ListOrName('+', at, reflection->GetMessage(to, field));
    }
  }

  // A block with nothing but zeros in it is still a change.
  void ListOrName(char sign, const std::string& at, const Message& message) {
    const int64_t lines = Lines();
    List(sign, at, message);
    if (Lines() == lines) Line(sign, at, "{}");
  }

  // Compared as bytes: much faster than field by field, and most of what is compared is equal.
  bool SameItem(const FieldDescriptor* field, const Message& from, int from_index,
                const Message& to, int to_index) {
    const Reflection* reflection = from.GetReflection();
    reflection->GetRepeatedMessage(from, field, from_index).SerializePartialToString(&from_bytes_);
    reflection->GetRepeatedMessage(to, field, to_index).SerializePartialToString(&to_bytes_);
    return from_bytes_ == to_bytes_;
  }

  void CompareLists(const std::string& at, const FieldDescriptor* field, const Message& from,
                    const Message& to) {
    const Reflection* reflection = from.GetReflection();
    // What is equal at both ends stays where it is, whatever happened between.
    int begin = 0, from_end = reflection->FieldSize(from, field);
    int to_end = reflection->FieldSize(to, field);
    while (begin < std::min(from_end, to_end) && SameItem(field, from, begin, to, begin)) ++begin;
    while (std::min(from_end, to_end) > begin &&
           SameItem(field, from, from_end - 1, to, to_end - 1)) {
      --from_end;
      --to_end;
    }
    std::unordered_map<std::string, int> before;
    for (int i = begin; i < from_end; ++i) {
      before.emplace(KeyOf(reflection->GetRepeatedMessage(from, field, i), i), i);
    }
    std::vector<int> kept_before;  // Positions in `from` of what stayed, in the order of `to`.
    std::vector<std::pair<std::string, int>> kept;
    std::vector<bool> gone(static_cast<size_t>(from_end), true);
    std::fill_n(gone.begin(), begin, false);
    for (int i = begin; i < to_end; ++i) {
      const Message& item = reflection->GetRepeatedMessage(to, field, i);
      std::string key = KeyOf(item, i);
      const std::string item_at = fmt::format("{}[{}]", at, key);
      const auto known = before.find(key);
      if (known == before.end()) {
        ListOrName('+', item_at, item);
        continue;
      }
      if (!SameItem(field, from, known->second, to, i)) {
        Compare(item_at, reflection->GetRepeatedMessage(from, field, known->second), item);
      }
      gone[static_cast<size_t>(known->second)] = false;
      kept_before.push_back(known->second);
      kept.emplace_back(std::move(key), i);
    }
    for (size_t i = 0; i < gone.size(); ++i) {
      const int index = static_cast<int>(i);
      if (!gone[i]) continue;
      const Message& item = reflection->GetRepeatedMessage(from, field, index);
      ListOrName('-', fmt::format("{}[{}]", at, KeyOf(item, index)), item);
    }
    const std::vector<bool> unmoved = Unmoved(kept_before);
    for (size_t i = 0; i < kept.size(); ++i) {
      if (unmoved[i]) continue;
      const std::string item_at = fmt::format("{}[{}]", at, kept[i].first);
      Line('-', item_at, fmt::format("position {}", kept_before[i] + 1));
      Line('+', item_at, fmt::format("position {}", kept[i].second + 1));
    }
  }

  void Line(char sign, const std::string& path, const std::string& value) {
    if (change_->lines_size() < kLinesMax) {
      change_->add_lines(fmt::format("{} {}: {}", sign, path, value));
    } else {
      ++more_;
    }
  }
  int64_t Lines() const { return change_->lines_size() + more_; }

  v1::ResourceChange* const change_;
  int64_t more_ = 0;
  std::string from_bytes_, to_bytes_;  // Kept for their memory.
};

v1::ResourceChange Change(v1::ResourceChange::Kind kind, const v1::Resource& resource) {
  v1::ResourceChange change;
  change.set_kind(kind);
  change.mutable_resource()->set_kind(resource.kind());
  change.mutable_resource()->set_name(resource.name());
  return change;
}

v1::ResourceChange OneSided(v1::ResourceChange::Kind kind, const v1::Resource& resource) {
  v1::ResourceChange change = Change(kind, resource);
  if (const auto message = Parse(resource)) {
    Differ(&change).List(kind == v1::ResourceChange::ADDED ? '+' : '-', "", *message);
  }
  return change;
}

v1::ResourceChange Changed(const v1::Resource& from, const v1::Resource& to) {
  v1::ResourceChange change = Change(v1::ResourceChange::CHANGED, to);
  const auto before = Parse(from);
  const auto after = Parse(to);
  if (before != nullptr && after != nullptr) Differ(&change).Compare("", *before, *after);
  return change;
}

}  // namespace

std::vector<v1::ResourceChange> DiffResources(const snapshot::Resources& from,
                                              const snapshot::Resources& to) {
  std::vector<v1::ResourceChange> changes;
  size_t a = 0;
  size_t b = 0;
  while (a < from.size() || b < to.size()) {
    if (b == to.size() || (a < from.size() && snapshot::ComesBefore(*from[a], *to[b]))) {
      changes.push_back(OneSided(v1::ResourceChange::REMOVED, *from[a++]));
    } else if (a == from.size() || snapshot::ComesBefore(*to[b], *from[a])) {
      changes.push_back(OneSided(v1::ResourceChange::ADDED, *to[b++]));
    } else {
      if (from[a]->sha256() != to[b]->sha256()) changes.push_back(Changed(*from[a], *to[b]));
      ++a;
      ++b;
    }
  }
  return changes;
}

}  // namespace sluice::build
