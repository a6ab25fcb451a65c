#include "common/snapshot/delta.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "common/base/status_macros.h"

namespace sluice::snapshot {
namespace {

using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;

constexpr size_t kVarint32BytesMax = 5;
constexpr size_t kKeptBytesLeast = 1024;  // Less is not worth it.

// Cuts what is appended into chunks of at most kChunkBytesMax.
class ChunkWriter {
 public:
  ChunkWriter(const std::string& root, EncodedDelta* delta) : root_(root), delta_(delta) {}

  // A v1::Resource or v1::ResourceDelta.
  void Append(const google::protobuf::MessageLite& resource) {
    std::string bytes(kVarint32BytesMax, '\0');
    auto* const begin = reinterpret_cast<uint8_t*>(bytes.data());
    const auto size = static_cast<uint32_t>(resource.ByteSizeLong());
    const uint8_t* const end = CodedOutputStream::WriteVarint32ToArray(size, begin);
    bytes.resize(static_cast<size_t>(end - begin));
    resource.AppendToString(&bytes);
    Append(std::string_view(bytes));
  }

 private:
  void Append(std::string_view bytes) {
    delta_->offer.set_bytes(delta_->offer.bytes() + bytes.size());
    while (!bytes.empty()) {
      if (delta_->chunks.empty() || delta_->chunks.back().data().size() == kChunkBytesMax) {
        delta_->chunks.emplace_back().set_root(root_);
      }
      std::string* data = delta_->chunks.back().mutable_data();
      const std::string_view piece = bytes.substr(0, kChunkBytesMax - data->size());
      data->append(piece);
      bytes.remove_prefix(piece.size());
    }
  }

  const std::string& root_;
  EncodedDelta* delta_;
};

std::string Label(const v1::Resource& resource) {
  return fmt::format("{} '{}'", KindName(resource.kind()), resource.name());
}

v1::Resource KeyOf(v1::ResourceKind kind, const std::string& name) {
  v1::Resource key;
  key.set_kind(kind);
  key.set_name(name);
  return key;
}

// The bytes that both begin with, and of what is left those that both end with.
std::pair<size_t, size_t> CommonEnds(std::string_view a, std::string_view b) {
  const size_t most = std::min(a.size(), b.size());
  const auto first = std::mismatch(a.begin(), a.begin() + static_cast<ptrdiff_t>(most), b.begin());
  const auto first_bytes = static_cast<size_t>(first.first - a.begin());
  const auto left = static_cast<ptrdiff_t>(most - first_bytes);
  const auto last = std::mismatch(a.rbegin(), a.rbegin() + left, b.rbegin());
  return {first_bytes, static_cast<size_t>(last.first - a.rbegin())};
}

// Empty (no kind) where it would not save half of what the resource takes.
v1::ResourceDelta DeltaOf(const v1::Resource& before, const v1::Resource& resource) {
  v1::ResourceDelta delta;
  const auto [first_bytes, last_bytes] = CommonEnds(before.body(), resource.body());
  const size_t kept_bytes = first_bytes + last_bytes;
  if (kept_bytes < kKeptBytesLeast || kept_bytes < resource.body().size() / 2) return delta;
  delta.set_kind(resource.kind());
  delta.set_name(resource.name());
  delta.set_body(resource.body().substr(first_bytes, resource.body().size() - kept_bytes));
  delta.set_sha256(resource.sha256());
  delta.set_kept_first_bytes(first_bytes);
  delta.set_kept_last_bytes(last_bytes);
  return delta;
}

}  // namespace

EncodedDelta EncodeDelta(const Resources* base, const Resources& target, const v1::Version& version,
                         ChangedAs changed_as) {
  EncodedDelta delta;
  *delta.offer.mutable_version() = version;
  if (base != nullptr) delta.offer.set_base_root(RootOf(*base));

  static const Resources kNothing;
  const Resources& old = base == nullptr ? kNothing : *base;
  ChunkWriter writer(version.root(), &delta);
  auto before = old.begin();
  const auto remove_one = [&] {
    v1::ResourceId* removed = delta.offer.add_removed();
    removed->set_kind((*before)->kind());
    removed->set_name((*before)->name());
    ++before;
  };
  for (const auto& resource : target) {
    while (before != old.end() && ComesBefore(**before, *resource)) remove_one();
    const bool known = before != old.end() && !ComesBefore(*resource, **before);
    const v1::Resource* const older = known ? (before++)->get() : nullptr;
    if (older != nullptr && older->sha256() == resource->sha256()) continue;
    v1::ResourceDelta change;
    if (older != nullptr && changed_as == ChangedAs::kDelta) change = DeltaOf(*older, *resource);
    if (change.kind() == v1::RESOURCE_KIND_UNSPECIFIED) {
      writer.Append(*resource);
    } else {
      writer.Append(change);
    }
  }
  while (before != old.end()) remove_one();
  return delta;
}

DeltaDecoder::DeltaDecoder(v1::Offer offer, Resources base, uint64_t bytes_max)
    : offer_(std::move(offer)), base_(std::move(base)), bytes_max_(bytes_max) {
  if (offer_.base_root().empty()) base_.clear();
  if (offer_.bytes() > bytes_max_) {
    status_ = absl::ResourceExhaustedError(fmt::format(
        "the offer announces {} bytes, more than the {} allowed", offer_.bytes(), bytes_max_));
  }
}

absl::Status DeltaDecoder::Add(const v1::Chunk& chunk) {
  RETURN_IF_ERROR(status_);
  status_ = CheckChunk(chunk);
  RETURN_IF_ERROR(status_);
  bytes_received_ += chunk.data().size();
  data_ += chunk.data();
  status_ = TakeCompleteResources();
  return status_;
}

absl::Status DeltaDecoder::CheckChunk(const v1::Chunk& chunk) const {
  if (chunk.root() != offer_.version().root()) {
    return absl::DataLossError(fmt::format("a chunk is for root {}, the offer for {}",
                                           ShortHex(chunk.root()),
                                           ShortHex(offer_.version().root())));
  }
  if (chunk.data().size() > kChunkBytesMax) {
    return absl::ResourceExhaustedError(fmt::format(
        "a chunk has {} bytes, more than the {} allowed", chunk.data().size(), kChunkBytesMax));
  }
  if (chunk.data().size() > offer_.bytes() - bytes_received_) {
    return absl::ResourceExhaustedError(
        fmt::format("more bytes than the {} the offer announced", offer_.bytes()));
  }
  return absl::OkStatus();
}

absl::Status DeltaDecoder::TakeCompleteResources() {
  size_t used = 0;
  while (used < data_.size()) {
    const std::string_view rest = std::string_view(data_).substr(used);
    CodedInputStream input(reinterpret_cast<const uint8_t*>(rest.data()),
                           static_cast<int>(std::min(rest.size(), kVarint32BytesMax)));
    uint64_t size = 0;
    if (!input.ReadVarint64(&size)) {
      if (rest.size() < kVarint32BytesMax) break;  // The length itself is cut.
      return absl::InvalidArgumentError("the length of a resource is malformed");
    }
    const auto size_bytes = static_cast<size_t>(input.CurrentPosition());
    const uint64_t still_to_come = offer_.bytes() - bytes_received_;
    if (size > rest.size() - size_bytes + still_to_come) {
      return absl::InvalidArgumentError(
          fmt::format("a resource claims {} bytes, more than the offer has left", size));
    }
    if (size > rest.size() - size_bytes) break;
    RETURN_IF_ERROR(TakeResource(rest.data() + size_bytes, static_cast<size_t>(size)));
    used += size_bytes + static_cast<size_t>(size);
  }
  data_.erase(0, used);
  return absl::OkStatus();
}

absl::Status DeltaDecoder::TakeResource(const char* bytes, size_t size) {
  if (received_.size() == kResourcesMax) {
    return absl::ResourceExhaustedError(fmt::format("more than {} resources", kResourcesMax));
  }
  v1::ResourceDelta delta;
  if (size > std::numeric_limits<int>::max() ||
      !delta.ParseFromArray(bytes, static_cast<int>(size))) {
    return absl::InvalidArgumentError("a resource is malformed");
  }
  RETURN_IF_ERROR(CompleteBody(&delta));
  auto resource = std::make_shared<v1::Resource>();
  resource->set_kind(delta.kind());
  resource->set_name(std::move(*delta.mutable_name()));
  resource->set_body(std::move(*delta.mutable_body()));
  resource->set_sha256(std::move(*delta.mutable_sha256()));
  if (resource->kind() == v1::RESOURCE_KIND_UNSPECIFIED) {
    return absl::InvalidArgumentError(fmt::format("resource '{}' has no kind", resource->name()));
  }
  const std::string hash = ResourceHash(resource->kind(), resource->name(), resource->body());
  if (resource->sha256() != hash) {
    return absl::DataLossError(
        fmt::format("{} does not have the hash it claims", Label(*resource)));
  }
  received_.push_back(std::move(resource));
  return absl::OkStatus();
}

const v1::Resource* DeltaDecoder::FindInBase(v1::ResourceKind kind, const std::string& name) const {
  const v1::Resource key = KeyOf(kind, name);
  const auto found = std::lower_bound(base_.begin(), base_.end(), key,
                                      [](const auto& resource, const v1::Resource& wanted) {
                                        return ComesBefore(*resource, wanted);
                                      });
  return found == base_.end() || ComesBefore(key, **found) ? nullptr : found->get();
}

// What results is held to its hash like any other, so a base that differs shows.
absl::Status DeltaDecoder::CompleteBody(v1::ResourceDelta* delta) {
  const uint64_t first = delta->kept_first_bytes(), last = delta->kept_last_bytes();
  if (first == 0 && last == 0) return absl::OkStatus();
  const v1::Resource* const before = FindInBase(delta->kind(), delta->name());
  if (before == nullptr || first > before->body().size() || last > before->body().size() - first) {
    return absl::DataLossError(fmt::format("the offer keeps parts of {} '{}' that are not there",
                                           KindName(delta->kind()), delta->name()));
  }
  // The same large resource kept again and again would fill our memory from few bytes.
  bytes_kept_ += first + last;
  if (bytes_kept_ > bytes_max_) {
    return absl::ResourceExhaustedError(
        fmt::format("the offer keeps more than the {} bytes allowed", bytes_max_));
  }
  const std::string_view body = before->body();
  std::string whole;
  whole.reserve(first + delta->body().size() + last);
  whole.append(body.substr(0, first)).append(delta->body()).append(body.substr(body.size() - last));
  delta->set_body(std::move(whole));
  return absl::OkStatus();
}

absl::StatusOr<Resources> DeltaDecoder::Finish() && {
  RETURN_IF_ERROR(status_);
  absl::StatusOr<Resources> rebuilt = Rebuild();
  status_ = rebuilt.status();
  return rebuilt;
}

absl::StatusOr<Resources> DeltaDecoder::Rebuild() {
  if (bytes_received_ != offer_.bytes() || !data_.empty()) {
    return absl::DataLossError(fmt::format("{} of {} bytes arrived, {} of them no whole resource",
                                           bytes_received_, offer_.bytes(), data_.size()));
  }
  if (!offer_.base_root().empty() && RootOf(base_) != offer_.base_root()) {
    return absl::DataLossError(fmt::format("the offer builds on {}, which is not what is here",
                                           ShortHex(offer_.base_root())));
  }
  RETURN_IF_ERROR(RemoveFromBase());
  if (const absl::Status status = SortAndCheck(&received_); !status.ok()) {
    return absl::DataLossError(status.message());
  }

  // Both are sorted; what was received takes the place of what has the same name.
  Resources rebuilt;
  rebuilt.reserve(base_.size() + received_.size());
  std::set_union(received_.begin(), received_.end(), base_.begin(), base_.end(),
                 std::back_inserter(rebuilt),
                 [](const auto& a, const auto& b) { return ComesBefore(*a, *b); });
  RETURN_IF_ERROR(CheckSize(rebuilt));
  computed_root_ = RootOf(rebuilt);
  if (computed_root_ != offer_.version().root()) {
    return absl::DataLossError(fmt::format("the rebuilt root is {}, the offered one {}",
                                           ShortHex(computed_root_),
                                           ShortHex(offer_.version().root())));
  }
  return rebuilt;
}

absl::Status DeltaDecoder::RemoveFromBase() {
  std::vector<bool> gone(base_.size());
  for (const v1::ResourceId& id : offer_.removed()) {
    const v1::Resource key = KeyOf(id.kind(), id.name());
    const auto found = std::lower_bound(base_.begin(), base_.end(), key,
                                        [](const auto& resource, const v1::Resource& wanted) {
                                          return ComesBefore(*resource, wanted);
                                        });
    const auto place = static_cast<size_t>(found - base_.begin());
    if (found == base_.end() || ComesBefore(key, **found) || gone[place]) {
      return absl::DataLossError(
          fmt::format("the offer removes {}, which is not there", Label(key)));
    }
    gone[place] = true;
  }
  for (const auto& resource : received_) {
    const auto found =
        std::lower_bound(base_.begin(), base_.end(), resource,
                         [](const auto& a, const auto& b) { return ComesBefore(*a, *b); });
    const bool known = found != base_.end() && !ComesBefore(*resource, **found);
    if (known && gone[static_cast<size_t>(found - base_.begin())]) {
      return absl::DataLossError(fmt::format("{} is both removed and sent", Label(*resource)));
    }
  }
  Resources kept;
  for (size_t i = 0; i < base_.size(); ++i) {
    if (!gone[i]) kept.push_back(std::move(base_[i]));
  }
  base_ = std::move(kept);
  return absl::OkStatus();
}

absl::Status DeltaDecoder::CheckSize(const Resources& rebuilt) const {
  uint64_t bytes = 0;
  for (const auto& resource : rebuilt) bytes += resource->name().size() + resource->body().size();
  if (bytes <= bytes_max_ && rebuilt.size() <= kResourcesMax) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      fmt::format("the snapshot has {} resources of {} bytes, more than {} of {} allowed",
                  rebuilt.size(), bytes, kResourcesMax, bytes_max_));
}

}  // namespace sluice::snapshot
