#include "controlplane/replica/shared_log.h"

#include <fmt/format.h>

#include <charconv>
#include <unordered_set>

#include "common/base/hash.h"
#include "common/base/random.h"
#include "common/base/status_macros.h"
#include "controlplane/store/schema.h"

namespace sluice::replica {
namespace {

constexpr int64_t kEntriesAtOnce = 16, kKeysAtOnce = 1000;
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

std::string TextOf(const store::JournalMark& head) {
  return fmt::format("{} {}", head.position, head.entry);
}

absl::Status IsNoPart(const store::JournalMark& head, const store::JournalMark& mark) {
  return absl::FailedPreconditionError(fmt::format(
      "the store in etcd (entry {}) is not what this copy (entry {}) is of: it was restored from "
      "an older state, or both have gone on apart. Nothing is changed here: to go on with this "
      "copy, give another prefix in --store; to take what etcd has, another, empty --data-dir",
      head.position, mark.position));
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

absl::StatusOr<store::JournalMark> SharedLog::Head() {
  ASSIGN_OR_RETURN(const std::string text, Get(prefix_ + "/head"));
  const size_t space = text.find(' ');
  if (space == std::string::npos) return absl::DataLossError("the head in etcd is damaged");
  store::JournalMark head;
  ASSIGN_OR_RETURN(head.position, PositionIn(std::string_view(text).substr(0, space)));
  head.entry = text.substr(space + 1);
  return head;
}

absl::StatusOr<SharedLog::Entry> SharedLog::ReadEntry(const etcdserverpb::KeyValue& pair) {
  Entry entry;
  ASSIGN_OR_RETURN(entry.position,
                   PositionIn(std::string_view(pair.key()).substr(EntryKey(0).size() - 20)));
  v1::LogEntry parsed;
  if (!parsed.ParseFromString(pair.value())) {
    return absl::DataLossError(fmt::format("entry {} in etcd is damaged", entry.position));
  }
  entry.id = parsed.id();
  entry.previous = parsed.previous();
  entry.schema_version = parsed.schema_version();
  entry.changeset = std::move(*parsed.mutable_changeset());
  for (uint32_t i = 0; i < parsed.pieces(); ++i) {
    ASSIGN_OR_RETURN(const std::string piece, GetPiece(parsed.id(), i));
    entry.changeset += piece;
  }
  return entry;
}

absl::StatusOr<std::vector<SharedLog::Entry>> SharedLog::ReadAfter(const store::JournalMark& mark) {
  // First: what it counts is there when the entries are read.
  ASSIGN_OR_RETURN(const store::JournalMark head, Head());
  if (head.position < mark.position) return IsNoPart(head, mark);
  etcdserverpb::RangeRequest request;
  request.set_key(EntryKey(mark.position + 1));
  request.set_range_end(etcd::EndOfPrefix(prefix_ + "/log/"));
  request.set_limit(kEntriesAtOnce);
  ASSIGN_OR_RETURN(const etcdserverpb::RangeResponse response, client_.Range(request));
  std::vector<Entry> entries;
  store::JournalMark last = mark;
  for (const etcdserverpb::KeyValue& pair : response.kvs()) {
    ASSIGN_OR_RETURN(Entry entry, ReadEntry(pair));
    if (entry.position != last.position + 1) {
      return absl::OutOfRangeError("the log in etcd begins later");
    }
    if (entry.previous != last.entry) return IsNoPart(head, mark);
    last = {.log = mark.log, .position = entry.position, .entry = entry.id};
    entries.push_back(std::move(entry));
  }
  if (!entries.empty()) return entries;
  if (head.position > mark.position) return absl::OutOfRangeError("the log in etcd begins later");
  if (head.entry != mark.entry) return IsNoPart(head, mark);
  return entries;
}

// Of the keys of this prefix only these two lie in between.
std::unique_ptr<etcd::EtcdClient::WatchStream> SharedLog::Watch() {
  return client_.Watch(prefix_ + "/head", etcd::EndOfPrefix(leader_key()));
}

absl::Status SharedLog::Append(Term term, const store::JournalMark& last, const std::string& id,
                               std::string_view changeset) {
  const int64_t position = last.position + 1;
  v1::LogEntry entry;
  entry.set_id(id);
  entry.set_previous(last.entry);
  entry.set_schema_version(static_cast<uint32_t>(store::kSchemaVersion));
  if (changeset.size() <= kInlineBytesMax) {
    entry.set_changeset(std::string(changeset));
  } else {
    for (size_t at = 0; at < changeset.size(); at += kPieceBytesMax) {
      RETURN_IF_ERROR(client_.Put(PieceKey(id, entry.pieces()),
                                  std::string(changeset.substr(at, kPieceBytesMax))));
      entry.set_pieces(entry.pieces() + 1);
    }
  }
  etcdserverpb::TxnRequest request;
  *request.add_compare() = StillLeads(term);
  etcdserverpb::Compare& head = *request.add_compare();
  head.set_target(etcdserverpb::Compare::VALUE);
  head.set_key(prefix_ + "/head");
  head.set_value(TextOf(last));
  AddPut(&request, EntryKey(position), entry.SerializeAsString());
  AddPut(&request, prefix_ + "/head", TextOf({.log = {}, .position = position, .entry = id}));
  ASSIGN_OR_RETURN(const etcdserverpb::TxnResponse response, client_.Txn(request));
  if (response.succeeded()) return absl::OkStatus();
  // A try before may have been carried out though no answer came.
  const auto present = Get(EntryKey(position));
  if (absl::IsNotFound(present.status())) return SomebodyElse();
  RETURN_IF_ERROR(present.status());
  v1::LogEntry parsed;
  const bool is_ours = parsed.ParseFromString(*present) && parsed.id() == id;
  return is_ours ? absl::OkStatus() : SomebodyElse();
}

// --- The base.

absl::StatusOr<SharedLog::FoundBase> SharedLog::FindBase() {
  etcdserverpb::RangeRequest request;
  request.set_key(prefix_ + "/base");
  ASSIGN_OR_RETURN(const etcdserverpb::RangeResponse response, client_.Range(request));
  FoundBase found;
  if (response.kvs().empty()) return found;
  if (!found.info.ParseFromString(response.kvs(0).value())) {
    return absl::DataLossError("the base in etcd is damaged");
  }
  found.revision = response.kvs(0).mod_revision();
  return found;
}

absl::StatusOr<v1::BaseInfo> SharedLog::Base() {
  ASSIGN_OR_RETURN(FoundBase found, FindBase());
  if (found.revision == 0) return absl::NotFoundError(fmt::format("etcd has no {}/base", prefix_));
  return std::move(found.info);
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
  ASSIGN_OR_RETURN(const FoundBase before, FindBase());
  etcdserverpb::TxnRequest request;
  *request.add_compare() = StillLeads(term);
  etcdserverpb::Compare& same = *request.add_compare();
  same.set_target(etcdserverpb::Compare::MOD);
  same.set_result(etcdserverpb::Compare::EQUAL);
  same.set_key(prefix_ + "/base");
  same.set_mod_revision(before.revision);
  AddPut(&request, prefix_ + "/base", base.SerializeAsString());
  if (before.info.log() != base.log()) {
    AddPut(&request, prefix_ + "/head",
           TextOf({.log = {}, .position = base.position(), .entry = ""}));
  }
  ASSIGN_OR_RETURN(const etcdserverpb::TxnResponse response, client_.Txn(request));
  if (!response.succeeded()) {
    // A try before may have been carried out though no answer came.
    ASSIGN_OR_RETURN(const FoundBase now, FindBase());
    if (now.info.id() != base.id()) return SomebodyElse();
  }
  return ForgetUpTo(base.position());
}

absl::Status SharedLog::Sweep() {
  ASSIGN_OR_RETURN(const FoundBase base, FindBase());
  std::unordered_set<std::string> used = {base.info.id()};
  const auto scan = [this](const std::string& prefix, bool keys_only,
                           const std::function<void(const etcdserverpb::KeyValue&)>& take) {
    etcdserverpb::RangeRequest request;
    request.set_key(prefix);
    request.set_range_end(etcd::EndOfPrefix(prefix));
    request.set_limit(keys_only ? kKeysAtOnce : kEntriesAtOnce);
    request.set_keys_only(keys_only);
    for (bool more = true; more;) {
      ASSIGN_OR_RETURN(const etcdserverpb::RangeResponse response, client_.Range(request));
      for (const etcdserverpb::KeyValue& pair : response.kvs()) {
        take(pair);
        request.set_key(pair.key() + '\0');
      }
      more = response.more();
    }
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(scan(prefix_ + "/log/", false, [&used](const etcdserverpb::KeyValue& pair) {
    v1::LogEntry entry;
    if (entry.ParseFromString(pair.value())) used.insert(entry.id());
  }));
  const std::string pieces = prefix_ + "/piece/";
  std::unordered_set<std::string> unused;
  RETURN_IF_ERROR(scan(pieces, true, [&](const etcdserverpb::KeyValue& pair) {
    const std::string rest = pair.key().substr(pieces.size());
    const std::string id = rest.substr(0, rest.find('/'));
    if (!used.contains(id)) unused.insert(id);
  }));
  for (const std::string& id : unused) RETURN_IF_ERROR(ForgetPieces(id));
  return absl::OkStatus();
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
