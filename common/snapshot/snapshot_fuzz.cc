// An offer and a stream of chunks from a hostile controller. Whatever they are, the decoder refuses
// them or gives sorted resources that have the hashes and the root they claim; and how the stream
// is cut into chunks makes no difference.
//
// Input: flags, chunk size, offer length (two bytes), the offer, the stream. Hashes cannot be
// guessed, so flags ask for some of them to be made right.
#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/check.h"
#include "common/snapshot/delta.h"

namespace {

using sluice::snapshot::DeltaDecoder;
using sluice::snapshot::MakeResource;
using sluice::snapshot::ResourceHash;
using sluice::snapshot::Resources;
using sluice::snapshot::RootOf;
namespace v1 = sluice::v1;

constexpr uint64_t kBytesMax = 64 * 1024;

enum Flags : uint8_t {
  kFixHashes = 1,
  kFixAnnouncedBytes = 2,
  kFixBaseRoot = 4,
  kFixRoot = 8,
};

Resources MakeBase() {
  v1::ResourceId content;
  content.set_name("what a change may keep parts of");
  Resources base;
  for (const char* name : {"a", "b", "c"}) {
    base.push_back(MakeResource(v1::RESOURCE_KIND_CLUSTER, name, content));
  }
  base.push_back(MakeResource(v1::RESOURCE_KIND_CERTIFICATE, "a", content));
  return base;
}

void AppendVarint(size_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) *out += static_cast<char>(value | 0x80);
  *out += static_cast<char>(value);
}

// What a change comes to, as plainly as can be; one that keeps what is not there stays as it is.
std::string BodyOf(const v1::ResourceDelta& change, const Resources& base) {
  const uint64_t first = change.kept_first_bytes(), last = change.kept_last_bytes();
  for (const auto& before : base) {
    if (before->kind() != change.kind() || before->name() != change.name()) continue;
    const size_t size = before->body().size();
    if (first > size || last > size - first) break;
    return before->body().substr(0, first) + change.body() + before->body().substr(size - last);
  }
  return change.body();
}

// Takes the stream as resources and changes with one-byte lengths and gives each the hash it should
// have; leaves what does not look like one as it is. Notes what they come to in `resources`.
std::string WithRightHashes(std::string_view stream, const Resources& base, Resources* resources) {
  std::string fixed;
  while (!stream.empty()) {
    const auto size = static_cast<uint8_t>(stream[0]);
    v1::ResourceDelta change;
    if (size >= 0x80 || size >= stream.size() || !change.ParseFromArray(stream.data() + 1, size)) {
      return fixed.append(stream);
    }
    auto resource = std::make_shared<v1::Resource>();
    resource->set_kind(change.kind());
    resource->set_name(change.name());
    resource->set_body(BodyOf(change, base));
    resource->set_sha256(ResourceHash(resource->kind(), resource->name(), resource->body()));
    change.set_sha256(resource->sha256());
    const std::string bytes = change.SerializeAsString();
    AppendVarint(bytes.size(), &fixed);
    fixed += bytes;
    resources->push_back(std::move(resource));
    stream.remove_prefix(size + size_t{1});
  }
  return fixed;
}

// What the offer comes to, as plainly as can be.
std::string ExpectedRoot(const v1::Offer& offer, const Resources& base, const Resources& received) {
  std::map<std::pair<int, std::string>, std::shared_ptr<const v1::Resource>> all;
  if (!offer.base_root().empty()) {
    for (const auto& resource : base) all[{resource->kind(), resource->name()}] = resource;
  }
  for (const v1::ResourceId& id : offer.removed()) all.erase({id.kind(), id.name()});
  for (const auto& resource : received) all[{resource->kind(), resource->name()}] = resource;
  Resources sorted;
  for (const auto& [key, resource] : all) sorted.push_back(resource);
  return RootOf(sorted);
}

absl::StatusOr<Resources> Decode(const v1::Offer& offer, const Resources& base,
                                 std::string_view stream, size_t chunk_bytes) {
  DeltaDecoder decoder(offer, base, kBytesMax);
  while (!stream.empty()) {
    v1::Chunk chunk;
    chunk.set_root(offer.version().root());
    chunk.set_data(std::string(stream.substr(0, chunk_bytes)));
    stream.remove_prefix(chunk.data().size());
    if (absl::Status status = decoder.Add(chunk); !status.ok()) return status;
  }
  return std::move(decoder).Finish();
}

void CheckRebuilt(const Resources& rebuilt, const v1::Offer& offer) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < rebuilt.size(); ++i) {
    const v1::Resource& resource = *rebuilt[i];
    SLUICE_CHECK(resource.sha256() ==
                 ResourceHash(resource.kind(), resource.name(), resource.body()));
    SLUICE_CHECK(i == 0 || sluice::snapshot::ComesBefore(*rebuilt[i - 1], resource));
    bytes += resource.name().size() + resource.body().size();
  }
  SLUICE_CHECK(bytes <= kBytesMax);
  SLUICE_CHECK(RootOf(rebuilt) == offer.version().root());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  [[maybe_unused]] static const google::protobuf::LogSilencer silencer;  // Bad UTF-8 is logged.
  static const Resources base = MakeBase();
  if (size < 4) return 0;
  const uint8_t flags = data[0];
  const size_t chunk_bytes = data[1] + size_t{1};
  const std::string_view rest(reinterpret_cast<const char*>(data) + 4, size - 4);
  const size_t offer_bytes = std::min<size_t>(data[2] << 8 | data[3], rest.size());

  v1::Offer offer;
  if (!offer.ParseFromArray(rest.data(), static_cast<int>(offer_bytes))) return 0;
  std::string stream(rest.substr(offer_bytes));
  Resources received;
  if (flags & kFixHashes) stream = WithRightHashes(stream, base, &received);
  if (flags & kFixAnnouncedBytes) offer.set_bytes(stream.size());
  if (flags & kFixBaseRoot) offer.set_base_root(RootOf(base));
  if (flags & kFixRoot) offer.mutable_version()->set_root(ExpectedRoot(offer, base, received));

  const absl::StatusOr<Resources> whole =
      Decode(offer, base, stream, sluice::snapshot::kChunkBytesMax);
  const absl::StatusOr<Resources> cut = Decode(offer, base, stream, chunk_bytes);
  SLUICE_CHECK(whole.ok() == cut.ok());
  if (whole.ok()) {
    CheckRebuilt(*whole, offer);
    SLUICE_CHECK(RootOf(*whole) == RootOf(*cut));
  }
  return 0;
}
