#include "controlplane/replica/election.h"

#include <algorithm>

#include "common/base/status_macros.h"

namespace sluice::replica {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// Answers that come later than this are of no use to who must know by then.
etcd::ClientOptions Quick(etcd::ClientOptions options, milliseconds lease) {
  options.try_timeout = lease * 7 / 30;
  options.call_timeout = lease / 2;
  return options;
}

}  // namespace

Election::Election(ElectionOptions options)
    : options_(std::move(options)), client_(Quick(options_.etcd, options_.lease)) {}

Election::~Election() { Resign(); }

absl::StatusOr<Leader> Election::CurrentLeader() {
  etcdserverpb::RangeRequest request;
  request.set_key(options_.leader_key);
  ASSIGN_OR_RETURN(const etcdserverpb::RangeResponse response, client_.Range(request));
  Leader leader;
  if (response.kvs().empty()) return leader;
  const etcdserverpb::KeyValue& pair = response.kvs(0);
  if (!leader.info.ParseFromString(pair.value())) {
    return absl::DataLossError("the leader's entry in etcd is damaged");
  }
  leader.term = pair.create_revision();
  leader.lease = pair.lease();
  return leader;
}

absl::StatusOr<std::optional<Term>> Election::Campaign(std::function<void()> on_lost) {
  Resign();
  ASSIGN_OR_RETURN(const int64_t lease, client_.GrantLease(options_.lease));
  etcdserverpb::TxnRequest request;
  etcdserverpb::Compare& free = *request.add_compare();
  free.set_target(etcdserverpb::Compare::CREATE);
  free.set_key(options_.leader_key);
  free.set_create_revision(0);
  etcdserverpb::PutRequest& put = *request.add_success()->mutable_request_put();
  put.set_key(options_.leader_key);
  put.set_value(options_.self.SerializeAsString());
  put.set_lease(lease);
  const auto response = client_.Txn(request);
  // A try that got no answer may have been carried out: what stands there decides.
  const auto leader = CurrentLeader();
  if (!response.ok() || !leader.ok() || leader->lease != lease) {
    client_.RevokeLease(lease).IgnoreError();
    RETURN_IF_ERROR(response.status());
    RETURN_IF_ERROR(leader.status());
    return std::nullopt;
  }
  const std::lock_guard lock(mutex_);
  lease_ = lease;
  term_ = leader->term;
  resigning_ = false;
  thread_ = std::thread([this, lease, on_lost = std::move(on_lost)] { KeepAlive(lease, on_lost); });
  return leader->term;
}

void Election::KeepAlive(int64_t lease, std::function<void()> on_lost) {
  const auto ttl = std::chrono::duration_cast<milliseconds>(options_.lease);
  // It was granted a moment ago, and read back since; a renewal proves it.
  auto holds_until = Clock::now() + ttl / 2;
  for (;;) {
    const auto asked = Clock::now();
    const absl::Status kept = client_.KeepLeaseAlive(lease);
    if (kept.ok()) holds_until = asked + ttl * 2 / 3;
    std::unique_lock lock(mutex_);
    if (resigning_) return;
    if (absl::IsNotFound(kept) || Clock::now() >= holds_until) break;
    const auto next = kept.ok() ? asked + ttl / 4 : Clock::now() + milliseconds(50);
    if (changed_.wait_until(lock, next, [this] { return resigning_; })) return;
    // A process that was held up does not go on as if nothing had been.
    if (Clock::now() >= holds_until) break;
  }
  on_lost();
}

absl::Status Election::AnnounceServing() {
  etcdserverpb::TxnRequest request;
  etcdserverpb::Compare& leads = *request.add_compare();
  leads.set_target(etcdserverpb::Compare::CREATE);
  leads.set_key(options_.leader_key);
  etcdserverpb::PutRequest& put = *request.add_success()->mutable_request_put();
  put.set_key(options_.leader_key);
  v1::LeaderInfo self = options_.self;
  self.set_serving(true);
  put.set_value(self.SerializeAsString());
  {
    const std::lock_guard lock(mutex_);
    leads.set_create_revision(term_);
    put.set_lease(lease_);
  }
  ASSIGN_OR_RETURN(const etcdserverpb::TxnResponse response, client_.Txn(request));
  if (response.succeeded()) return absl::OkStatus();
  return absl::AbortedError("another controller leads");
}

void Election::Resign() {
  int64_t lease = 0;
  {
    const std::lock_guard lock(mutex_);
    resigning_ = true;
    lease = std::exchange(lease_, 0);
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  if (lease != 0) client_.RevokeLease(lease).IgnoreError();
}

}  // namespace sluice::replica
