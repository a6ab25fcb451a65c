#include "common/snapshot/snapshot.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>

#include "common/base/check.h"
#include "common/base/hash.h"

namespace sluice::snapshot {
namespace {

std::string LittleEndian(uint64_t value, size_t bytes) {
  std::string out;
  for (size_t i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}

void UpdateWithLength(std::string_view bytes, base::Sha256Hasher* hasher) {
  hasher->Update(LittleEndian(bytes.size(), 8));
  hasher->Update(bytes);
}

// Equal messages give equal bytes, within a release of protobuf at least.
std::string SerializeDeterministically(const google::protobuf::Message& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  SLUICE_CHECK(message.SerializeToCodedStream(&coded));
  coded.Trim();
  return bytes;
}

}  // namespace

std::string ResourceHash(v1::ResourceKind kind, std::string_view name, std::string_view body) {
  base::Sha256Hasher hasher;
  UpdateWithLength(LittleEndian(static_cast<uint32_t>(kind), 4), &hasher);
  UpdateWithLength(name, &hasher);
  UpdateWithLength(body, &hasher);
  return hasher.Finish();
}

std::shared_ptr<const v1::Resource> MakeResource(v1::ResourceKind kind, std::string_view name,
                                                 const google::protobuf::Message& message) {
  auto resource = std::make_shared<v1::Resource>();
  resource->set_kind(kind);
  resource->set_name(name.data(), name.size());
  resource->set_body(SerializeDeterministically(message));
  resource->set_sha256(ResourceHash(kind, name, resource->body()));
  return resource;
}

bool ComesBefore(const v1::Resource& a, const v1::Resource& b) {
  if (a.kind() != b.kind()) return a.kind() < b.kind();
  return a.name() < b.name();
}

absl::Status SortAndCheck(Resources* resources) {
  std::sort(resources->begin(), resources->end(),
            [](const auto& a, const auto& b) { return ComesBefore(*a, *b); });
  for (size_t i = 1; i < resources->size(); ++i) {
    const v1::Resource& resource = *(*resources)[i];
    if (!ComesBefore(*(*resources)[i - 1], resource)) {
      return absl::InvalidArgumentError(fmt::format("{} '{}' occurs twice; names must be unique",
                                                    KindName(resource.kind()), resource.name()));
    }
  }
  return absl::OkStatus();
}

std::string RootOf(const Resources& sorted) {
  base::Sha256Hasher hasher;
  for (const auto& resource : sorted) hasher.Update(resource->sha256());
  return hasher.Finish();
}

std::string_view KindName(v1::ResourceKind kind) {
  switch (kind) {
    case v1::RESOURCE_KIND_SETTINGS:
      return "settings";
    case v1::RESOURCE_KIND_LISTENER:
      return "listener";
    case v1::RESOURCE_KIND_ROUTE_TABLE:
      return "route_table";
    case v1::RESOURCE_KIND_CLUSTER:
      return "cluster";
    case v1::RESOURCE_KIND_CERTIFICATE:
      return "certificate";
    default:  // Also kinds of a newer peer.
      return "unknown";
  }
}

std::string ShortHex(std::string_view hash, size_t bytes) {
  return base::HexEncode(hash.substr(0, bytes));
}

}  // namespace sluice::snapshot
