// A snapshot: resources sorted by kind and name, each hashed, and the root over all hashes.
//
// Resources are immutable once made; snapshots share them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "sluice/v1/snapshot.pb.h"

namespace sluice::snapshot {

using Resources = std::vector<std::shared_ptr<const v1::Resource>>;
using SharedResources = std::shared_ptr<const Resources>;

// SHA-256 (32 raw bytes) of kind, name and body, each preceded by its length. Lengths are eight
// bytes, the kind four, least byte first. Stored and sent between releases, so it must never
// change.
std::string ResourceHash(v1::ResourceKind kind, std::string_view name, std::string_view body);

// Serialises `message` deterministically and hashes it.
std::shared_ptr<const v1::Resource> MakeResource(v1::ResourceKind kind, std::string_view name,
                                                 const google::protobuf::Message& message);

// The order of resources in a snapshot: by kind, then by the bytes of the name.
bool ComesBefore(const v1::Resource& a, const v1::Resource& b);

// Sorts by kind, then name. Two resources with the same kind and name are an error.
absl::Status SortAndCheck(Resources* resources);

// SHA-256 over the hashes of the sorted resources.
std::string RootOf(const Resources& sorted);

// "cluster", "route_table", ...: how kinds are shown to people.
std::string_view KindName(v1::ResourceKind kind);

// Lower-case hex of the first `bytes` bytes; how roots are shown to people.
std::string ShortHex(std::string_view hash, size_t bytes = 6);

}  // namespace sluice::snapshot
