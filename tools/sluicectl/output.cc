#include "tools/sluicectl/output.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "common/base/hash.h"
#include "common/base/utf8.h"
#include "sluice/v1/certificate.pb.h"
#include "sluice/v1/cluster.pb.h"
#include "sluice/v1/listener.pb.h"
#include "sluice/v1/route.pb.h"
#include "sluice/v1/settings.pb.h"
#include "sluice/v1/snapshot.pb.h"

namespace sluice::sluicectl {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr int kDepthMax = 64;

Json BytesToJson(const std::string& name, const std::string& bytes) {
  if (name == "key_pem") return "";
  if (name == "root" || name == "sha256" || name.starts_with("root_") || name.ends_with("_root")) {
    return base::HexEncode(bytes);
  }
  if (name == "json" || name.ends_with("_json")) {
    if (auto parsed = ParseJson(bytes); parsed.ok()) return *std::move(parsed);
  }
  if (base::IsUtf8(bytes)) return bytes;
  return base::HexEncode(bytes);
}

// What a scalar is read from: a field, or one element of a repeated one (index >= 0).
struct Place {
  const Message& message;
  const FieldDescriptor* field;
  int index = -1;
};

template <typename Single, typename Repeated>
auto Read(const Place& place, Single single, Repeated repeated) {
  const Reflection* reflection = place.message.GetReflection();
  return place.index < 0 ? (reflection->*single)(place.message, place.field)
                         : (reflection->*repeated)(place.message, place.field, place.index);
}

Json ValueToJson(const Place& place) {
  switch (place.field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return Read(place, &Reflection::GetInt32, &Reflection::GetRepeatedInt32);
    case FieldDescriptor::CPPTYPE_INT64:
      return Read(place, &Reflection::GetInt64, &Reflection::GetRepeatedInt64);
    case FieldDescriptor::CPPTYPE_UINT32:
      return Read(place, &Reflection::GetUInt32, &Reflection::GetRepeatedUInt32);
    case FieldDescriptor::CPPTYPE_UINT64:
      return Read(place, &Reflection::GetUInt64, &Reflection::GetRepeatedUInt64);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return Read(place, &Reflection::GetDouble, &Reflection::GetRepeatedDouble);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return Read(place, &Reflection::GetFloat, &Reflection::GetRepeatedFloat);
    case FieldDescriptor::CPPTYPE_BOOL:
      return Read(place, &Reflection::GetBool, &Reflection::GetRepeatedBool);
    case FieldDescriptor::CPPTYPE_ENUM: {
      const int number = Read(place, &Reflection::GetEnumValue, &Reflection::GetRepeatedEnumValue);
      const auto* value = place.field->enum_type()->FindValueByNumber(number);
      if (value == nullptr) return number;  // From a newer controller.
      return value->name();
    }
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string text = Read(place, &Reflection::GetString, &Reflection::GetRepeatedString);
      if (place.field->type() == FieldDescriptor::TYPE_BYTES) {
        return BytesToJson(place.field->name(), text);
      }
      return text;
    }
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      const Reflection* reflection = place.message.GetReflection();
      return ToJson(place.index < 0
                        ? reflection->GetMessage(place.message, place.field)
                        : reflection->GetRepeatedMessage(place.message, place.field, place.index));
    }
  }
  return nullptr;
}

Json MapToJson(const Message& message, const FieldDescriptor* field) {
  const Reflection* reflection = message.GetReflection();
  const FieldDescriptor* key = field->message_type()->map_key();
  const FieldDescriptor* value = field->message_type()->map_value();
  std::vector<std::pair<std::string, Json>> entries;  // A map has no order of its own.
  for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
    const Message& entry = reflection->GetRepeatedMessage(message, field, i);
    const Json name = ValueToJson({entry, key});
    entries.emplace_back(name.is_string() ? name.get<std::string>() : name.dump(),
                         ValueToJson({entry, value}));
  }
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  Json object = Json::object();
  for (auto& [name, entry] : entries) object[name] = std::move(entry);
  return object;
}

std::unique_ptr<Message> NewBody(v1::ResourceKind kind) {
  switch (kind) {
    case v1::RESOURCE_KIND_SETTINGS:
      return std::make_unique<v1::Settings>();
    case v1::RESOURCE_KIND_LISTENER:
      return std::make_unique<v1::Listener>();
    case v1::RESOURCE_KIND_ROUTE_TABLE:
      return std::make_unique<v1::RouteTable>();
    case v1::RESOURCE_KIND_CLUSTER:
      return std::make_unique<v1::Cluster>();
    case v1::RESOURCE_KIND_CERTIFICATE:
      return std::make_unique<v1::Certificate>();
    default:
      return nullptr;
  }
}

Json ResourceToJson(const v1::Resource& resource) {
  Json object = Json::object();
  object["kind"] = v1::ResourceKind_Name(resource.kind());
  object["name"] = resource.name();
  const std::unique_ptr<Message> body = NewBody(resource.kind());
  if (body != nullptr && body->ParseFromString(resource.body())) object["body"] = ToJson(*body);
  object["sha256"] = base::HexEncode(resource.sha256());
  return object;
}

// DEL and the C1 controls are legal inside JSON strings, but a terminal may act on them. They occur
// nowhere else in encoded output, so the escape is always inside a string.
std::string EscapeControls(std::string_view encoded) {
  std::string out;
  out.reserve(encoded.size());
  for (size_t i = 0; i < encoded.size(); ++i) {
    const auto byte = static_cast<unsigned char>(encoded[i]);
    if (byte == 0x7F) {
      out += "\\u007f";
    } else if (byte == 0xC2 && i + 1 < encoded.size() &&
               static_cast<unsigned char>(encoded[i + 1]) < 0xA0) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(encoded[++i]));
    } else {
      out += encoded[i];
    }
  }
  return out;
}

std::string DumpJson(const Json& value, int indent) {
  return EscapeControls(value.dump(indent, ' ', false, Json::error_handler_t::replace));
}

// Whether YAML 1.1 and 1.2 readers all take it for this string without quotes.
bool IsPlainYaml(std::string_view text) {
  static constexpr std::string_view kOtherMeaning[] = {"true", "false", "yes", "no", "on",
                                                       "off",  "null",  "y",   "n"};
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (text.empty() || !(is_letter(text[0]) || text[0] == '/' || text[0] == '_')) return false;
  std::string lower;
  for (const char c : text) {
    const bool plain = is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' ||
                       c == '/' || c == '@';
    if (!plain) return false;
    lower += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  }
  return std::find(std::begin(kOtherMeaning), std::end(kOtherMeaning), lower) ==
         std::end(kOtherMeaning);
}

// A JSON string is also a YAML double-quoted one.
std::string YamlScalar(const Json& value) {
  if (value.is_string() && IsPlainYaml(value.get_ref<const std::string&>())) {
    return value.get<std::string>();
  }
  return DumpJson(value, -1);
}

bool IsBlock(const Json& value) { return value.is_structured() && !value.empty(); }

// `first_indented`: the caller has already written the indentation of the first line ("- ").
void AppendYaml(std::string* out, const Json& value, size_t indent, bool first_indented) {
  if (!IsBlock(value)) {
    *out += YamlScalar(value) + "\n";
    return;
  }
  bool first = first_indented;
  const auto begin_line = [&] {
    if (!first) out->append(indent, ' ');
    first = false;
  };
  if (value.is_array()) {
    for (const Json& item : value) {
      begin_line();
      *out += "- ";
      AppendYaml(out, item, indent + 2, true);
    }
    return;
  }
  for (const auto& [key, item] : value.items()) {
    begin_line();
    *out += YamlScalar(Json(key)) + ":";
    if (IsBlock(item)) {
      *out += '\n';
      AppendYaml(out, item, indent + 2, false);
    } else {
      *out += ' ';
      AppendYaml(out, item, indent + 2, false);
    }
  }
}

}  // namespace

Json ToJson(const Message& message) {
  if (const auto* resource = dynamic_cast<const v1::Resource*>(&message)) {
    return ResourceToJson(*resource);
  }
  Json object = Json::object();
  const Reflection* reflection = message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    if (field->is_map()) {
      object[field->name()] = MapToJson(message, field);
    } else if (field->is_repeated()) {
      Json array = Json::array();
      for (int k = 0; k < reflection->FieldSize(message, field); ++k) {
        array.push_back(ValueToJson({message, field, k}));
      }
      object[field->name()] = std::move(array);
    } else if (!field->has_presence() || reflection->HasField(message, field)) {
      object[field->name()] = ValueToJson({message, field});
    }
  }
  return object;
}

absl::StatusOr<Json> ParseJson(std::string_view bytes) {
  bool too_deep = false;
  const auto limit = [&too_deep](int depth, Json::parse_event_t, Json&) {
    too_deep = too_deep || depth > kDepthMax;
    return !too_deep;
  };
  Json value = Json::parse(bytes, limit, /*allow_exceptions=*/false);
  if (too_deep || value.is_discarded()) return absl::DataLossError("the answer is not JSON");
  return value;
}

std::string Encode(const Json& value, Format format, Layout layout) {
  if (format == Format::kYaml) {
    std::string out = layout == Layout::kStream ? "---\n" : "";
    AppendYaml(&out, value, 0, false);
    return out;
  }
  return DumpJson(value, layout == Layout::kStream ? -1 : 2) + "\n";
}

}  // namespace sluice::sluicectl
