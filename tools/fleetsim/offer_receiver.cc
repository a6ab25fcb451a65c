#include "tools/fleetsim/offer_receiver.h"

#include <algorithm>
#include <string_view>

#include "common/base/status_macros.h"

namespace sluice::fleetsim {
namespace {

snapshot::DeltaDecoder DecoderOf(const v1::Offer& offer, const PooledSnapshot& base) {
  return {offer, base.resources, SnapshotPool::kSnapshotBytesMax};
}

// The chunks were cut elsewhere; where does not matter.
void AddAll(const std::string& root, std::string_view data, snapshot::DeltaDecoder* decoder) {
  for (; !data.empty(); data.remove_prefix(std::min(data.size(), snapshot::kChunkBytesMax))) {
    v1::Chunk chunk;
    chunk.set_root(root);
    chunk.set_data(std::string(data.substr(0, snapshot::kChunkBytesMax)));
    decoder->Add(chunk).IgnoreError();  // Finish tells.
  }
}

absl::StatusOr<SnapshotPtr> FinishDecoder(const std::string& root, snapshot::DeltaDecoder decoder,
                                          SnapshotPool& pool) {
  ASSIGN_OR_RETURN(snapshot::Resources resources, std::move(decoder).Finish());
  return pool.Intern(root, std::move(resources));
}

}  // namespace

absl::StatusOr<SnapshotPtr> DecodeStream(const v1::Offer& offer, const PooledSnapshot& base,
                                         const std::string& data, SnapshotPool& pool) {
  const std::string& root = offer.version().root();
  snapshot::DeltaDecoder decoder = DecoderOf(offer, base);
  AddAll(root, data, &decoder);
  return FinishDecoder(root, std::move(decoder), pool);
}

OfferReceiver::OfferReceiver(const v1::Offer& offer, SnapshotPtr base, bool decode_each,
                             SnapshotPool& pool)
    : pool_(pool), base_(std::move(base)), root_(offer.version().root()) {
  if (decode_each) {
    decoder_.emplace(DecoderOf(offer, *base_));
  } else {
    transcript_ = pool_.TranscriptOf(offer, base_);
  }
}

void OfferReceiver::Add(const v1::Chunk& chunk) {
  if (transcript_ != nullptr) {
    if (TakeShared(chunk)) return;
    DecodeAlone();
  }
  decoder_->Add(chunk).IgnoreError();  // Finish tells.
}

// False: it is not what the others got at this place.
bool OfferReceiver::TakeShared(const v1::Chunk& chunk) {
  if (chunk.root() != root_ || chunk.data().size() > snapshot::kChunkBytesMax) return false;
  const std::lock_guard lock(transcript_->mutex);
  std::string& data = transcript_->data;
  std::string_view bytes = chunk.data();
  if (received_bytes_ + bytes.size() > transcript_->offer.bytes()) return false;
  const std::string_view there = std::string_view(data).substr(received_bytes_, bytes.size());
  if (bytes.substr(0, there.size()) != there) return false;
  data.append(bytes.substr(there.size()));
  received_bytes_ += bytes.size();
  return true;
}

void OfferReceiver::DecodeAlone() {
  decoder_.emplace(DecoderOf(transcript_->offer, *base_));
  {
    const std::lock_guard lock(transcript_->mutex);
    AddAll(root_, std::string_view(transcript_->data).substr(0, received_bytes_), &*decoder_);
  }
  transcript_ = nullptr;
}

absl::StatusOr<SnapshotPtr> OfferReceiver::FinishShared() {
  const std::lock_guard lock(transcript_->mutex);
  if (!transcript_->result.has_value()) {
    transcript_->result = DecodeStream(transcript_->offer, *base_, transcript_->data, pool_);
  }
  return *transcript_->result;
}

absl::StatusOr<SnapshotPtr> OfferReceiver::Finish() {
  if (transcript_ != nullptr) {
    if (received_bytes_ == transcript_->offer.bytes()) return FinishShared();
    DecodeAlone();  // It tells what is missing.
  }
  return FinishDecoder(root_, *std::move(decoder_), pool_);
}

}  // namespace sluice::fleetsim
