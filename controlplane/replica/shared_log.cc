#include "controlplane/replica/shared_log.h"

#include <fmt/format.h>

#include <charconv>

#include "common/base/hash.h"
#include "common/base/random.h"
#include "common/base/status_macros.h"

namespace sluice::replica {
namespace {

constexpr int64_t kEntriesAtOnce = 16;
constexpr size_t kInlineBytesMax = size_t{256} << 10;  // So that so many fit into one answer.

absl::StatusOr<int64_t> PositionIn(std::string_view digits) {
  int64_t position = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), position);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    return absl::DataLossError("a position in etcd is no number");
  }
  return position;
}

void AddPut(etcdserverpb::TxnRequest* request, std::string key, std::string value) {
  auto& put = *request->add_success()->mutable_request_put();
  put.set_key(std::move(key));
  put.set_value(std::move(value));
}

absl::Status SomebodyElse() {
  return absl::AbortedError("another controller leads: this one writes no more");
}

}  // namespace

std::string RandomId() {
  base::Random random(base::RandomSeed());
  return fmt::format("{:016x}{:016x}", random.Next(), random.Next());
}

std::string SharedLog::EntryKey(int64_t position) const {
  return fmt::format("{}/log/{:020d}", prefix_, position);
}

std::string SharedLog::PieceKey(const std::string& id, uint32_t index) const {
  return fmt::format("{}/piece/{}/{:06d}", prefix_, id, index);
}

etcdserverpb::Compare SharedLog::StillLeads(Term term) const {
  etcdserverpb::Compare compare;
  compare.set_target(etcdserverpb::Compare::CREATE);
  compare.set_result(etcdserverpb::Compare::EQUAL);
  compare.set_key(leader_key());
  compare.set_create_revision(term);
  return compare;
}

absl::StatusOr<std::string> SharedLog::Get(const std::string& key) {
  etcdserverpb::RangeRequest request;
  request.set_key(key);
  ASSIGN_OR_RETURN(etcdserverpb::RangeResponse response, client_.Range(request));
  if (response.kvs().empty()) return absl::NotFoundError(fmt::format("etcd has no {}", key));
  return std::move(*response.mutable_kvs(0)->mutable_value());
}

absl::StatusOr<std::string> SharedLog::GetPiece(const std::string& id, uint32_t index) {
  auto piece = Get(PieceKey(id, index));
  if (!absl::IsNotFound(piece.status())) return piece;
  return absl::DataLossError(fmt::format("piece {} of {} is not in etcd any more", index, id));
}

absl::StatusOr<int64_t> SharedLog::Head() {
  ASSIGN_OR_RETURN(const std::string digits, Get(prefix_ + "/head"));
  return PositionIn(digits);
}

absl::StatusOr<SharedLog::Entry> SharedLog::ReadEntry(const etcdserverpb::KeyValue& pair) {
  Entry entry;
  ASSIGN_OR_RETURN(entry.position,
                   PositionIn(std::string_view(pair.key()).substr(EntryKey(0).size() - 20)));
  v1::LogEntry parsed;
  if (!parsed.ParseFromString(pair.value())) {
    return absl::DataLossError(fmt::format("entry {} in etcd is damaged", entry.position));
  }
  entry.changeset = std::move(*parsed.mutable_changeset());
  for (uint32_t i = 0; i < parsed.pieces(); ++i) {
    ASSIGN_OR_RETURN(const std::string piece, GetPiece(parsed.id(), i));
    entry.changeset += piece;
  }
  return entry;
}

absl::StatusOr<std::vector<SharedLog::Entry>> SharedLog::ReadAfter(int64_t position) {
  // First: what it counts is there when the entries are read.
  ASSIGN_OR_RETURN(const int64_t head, Head());
  etcdserverpb::RangeRequest request;
  request.set_key(EntryKey(position + 1));
  request.set_range_end(etcd::EndOfPrefix(prefix_ + "/log/"));
  request.set_limit(kEntriesAtOnce);
  ASSIGN_OR_RETURN(const etcdserverpb::RangeResponse response, client_.Range(request));
  std::vector<Entry> entries;
  for (const etcdserverpb::KeyValue& pair : response.kvs()) {
    ASSIGN_OR_RETURN(Entry entry, ReadEntry(pair));
    if (entry.position != position + 1 + static_cast<int64_t>(entries.size())) {
      return absl::OutOfRangeError("the log in etcd begins later");
    }
    entries.push_back(std::move(entry));
  }
  if (!entries.empty() || head == position) return entries;
  return absl::OutOfRangeError(head > position ? "the log in etcd begins later"
                                               : "the log in etcd has lost what is here");
}

// Of the keys of this prefix only these two lie in between.
std::unique_ptr<etcd::EtcdClient::WatchStream> SharedLog::Watch() {
  return client_.Watch(prefix_ + "/head", etcd::EndOfPrefix(leader_key()));
}

absl::Status SharedLog::Append(Term term, int64_t position, std::string changeset) {
  v1::LogEntry entry;
  entry.set_id(RandomId());
  if (changeset.size() <= kInlineBytesMax) {
    *entry.mutable_changeset() = std::move(changeset);
  } else {
    for (size_t at = 0; at < changeset.size(); at += kPieceBytesMax) {
      RETURN_IF_ERROR(
          client_.Put(PieceKey(entry.id(), entry.pieces()), changeset.substr(at, kPieceBytesMax)));
      entry.set_pieces(entry.pieces() + 1);
    }
  }
  etcdserverpb::TxnRequest request;
  *request.add_compare() = StillLeads(term);
  etcdserverpb::Compare& head = *request.add_compare();
  head.set_target(etcdserverpb::Compare::VALUE);
  head.set_key(prefix_ + "/head");
  head.set_value(std::to_string(position - 1));
  AddPut(&request, EntryKey(position), entry.SerializeAsString());
  AddPut(&request, prefix_ + "/head", std::to_string(position));
  ASSIGN_OR_RETURN(const etcdserverpb::TxnResponse response, client_.Txn(request));
  if (response.succeeded()) return absl::OkStatus();
  // A try before may have been carried out though no answer came.
  const auto present = Get(EntryKey(position));
  if (absl::IsNotFound(present.status())) return SomebodyElse();
  RETURN_IF_ERROR(present.status());
  v1::LogEntry parsed;
  const bool is_ours = parsed.ParseFromString(*present) && parsed.id() == entry.id();
  return is_ours ? absl::OkStatus() : SomebodyElse();
}

// --- The base.

absl::StatusOr<v1::BaseInfo> SharedLog::Base() {
  ASSIGN_OR_RETURN(const std::string bytes, Get(prefix_ + "/base"));
  v1::BaseInfo base;
  if (!base.ParseFromString(bytes)) return absl::DataLossError("the base in etcd is damaged");
  return base;
}

absl::Status SharedLog::FetchBase(const v1::BaseInfo& base,
                                  const std::function<absl::Status(std::string_view piece)>& take) {
  base::Sha256Hasher hash;
  for (uint32_t i = 0; i < base.pieces(); ++i) {
    ASSIGN_OR_RETURN(const std::string piece, GetPiece(base.id(), i));
    hash.Update(piece);
    RETURN_IF_ERROR(take(piece));
  }
  if (hash.Finish() != base.sha256()) return absl::DataLossError("the base in etcd is damaged");
  return absl::OkStatus();
}

absl::Status SharedLog::ReplaceBase(Term term, v1::BaseInfo base,
                                    const std::function<absl::StatusOr<std::string>()>& pieces) {
  base.set_id(RandomId());
  base::Sha256Hasher hash;
  for (;;) {
    ASSIGN_OR_RETURN(std::string piece, pieces());
    if (piece.empty()) break;
    hash.Update(piece);
    base.set_bytes(base.bytes() + piece.size());
    RETURN_IF_ERROR(client_.Put(PieceKey(base.id(), base.pieces()), std::move(piece)));
    base.set_pieces(base.pieces() + 1);
  }
  base.set_sha256(hash.Finish());
  const auto before = Base();
  if (!before.ok() && !absl::IsNotFound(before.status())) return before.status();
  etcdserverpb::TxnRequest request;
  *request.add_compare() = StillLeads(term);
  AddPut(&request, prefix_ + "/base", base.SerializeAsString());
  if (!before.ok() || before->log() != base.log()) {
    AddPut(&request, prefix_ + "/head", std::to_string(base.position()));
  }
  ASSIGN_OR_RETURN(const etcdserverpb::TxnResponse response, client_.Txn(request));
  if (!response.succeeded()) return SomebodyElse();
  if (before.ok()) RETURN_IF_ERROR(ForgetPieces(before->id()));
  return ForgetUpTo(base.position());
}

// Pieces first: an entry that is gone tells of none.
absl::Status SharedLog::ForgetUpTo(int64_t position) {
  const std::string end = EntryKey(position + 1);
  std::string from = EntryKey(0);
  for (bool more = true; more;) {
    etcdserverpb::RangeRequest request;
    request.set_key(from);
    request.set_range_end(end);
    request.set_limit(kEntriesAtOnce);
    ASSIGN_OR_RETURN(const etcdserverpb::RangeResponse response, client_.Range(request));
    for (const etcdserverpb::KeyValue& pair : response.kvs()) {
      v1::LogEntry entry;
      if (entry.ParseFromString(pair.value()) && entry.pieces() > 0) {
        RETURN_IF_ERROR(ForgetPieces(entry.id()));
      }
      from = pair.key() + '\0';
    }
    more = response.more();
  }
  return client_.DeleteRange(EntryKey(0), end);
}

absl::Status SharedLog::ForgetPieces(const std::string& id) {
  const std::string prefix = fmt::format("{}/piece/{}/", prefix_, id);
  return client_.DeleteRange(prefix, etcd::EndOfPrefix(prefix));
}

}  // namespace sluice::replica
