// Messages as JSON or YAML for programs.
//
// Field names are those of the protos and never change. Every scalar is present, also when it has
// its default; messages that are not set are left out. 64-bit integers are numbers, digests (root,
// sha256) lower-case hexadecimal, enum values their names, resource bodies the message they hold.
// Private keys are left out even if a controller sent one. Output is pure printable UTF-8.
#pragma once

#include <google/protobuf/message.h>

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sluice::sluicectl {

enum class Format { kTable, kWide, kJson, kYaml };

inline bool IsForPeople(Format format) {
  return format == Format::kTable || format == Format::kWide;
}

using Json = nlohmann::ordered_json;

Json ToJson(const google::protobuf::Message& message);

// Bytes that a node or controller sent as JSON: an error for what is not JSON or nested deeper
// than 64.
absl::StatusOr<Json> ParseJson(std::string_view bytes);

// With the line end. `format` is kJson or kYaml; kOneLine: for streams, one JSON value a line, or
// YAML documents parted by "---".
enum class Layout { kPretty, kStream };
std::string Encode(const Json& value, Format format, Layout layout = Layout::kPretty);

}  // namespace sluice::sluicectl
