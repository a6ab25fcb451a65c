#include "controlplane/serve/member.h"

#include <fmt/format.h>

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/base/version.h"
#include "controlplane/serve/probe.h"
#include "controlplane/serve/server.h"
#include "controlplane/store/data_folder.h"
#include "controlplane/store/schema.h"

namespace sluice::serve {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kTick{100}, kConnectingTick{10};
constexpr milliseconds kLookAtLeast{1'000};  // Should no event tell.
constexpr milliseconds kProbeTimeout{200};
constexpr milliseconds kBelievedFor{5'000};  // What etcd said last of who leads.
constexpr milliseconds kRetryAfter{100};     // For nodes: another controller takes over at once.
constexpr milliseconds kGrace{500};          // For calls under way, when this controller ends.
constexpr size_t kPemFileMax = size_t{64} << 10;

absl::StatusOr<std::string> ReadPem(const std::string& path) {
  return path.empty() ? std::string() : base::ReadFile(path, kPemFileMax);
}

absl::StatusOr<etcd::ClientOptions> EtcdOptions(const ControllerOptions& options) {
  etcd::ClientOptions etcd{.endpoints = options.etcd->endpoints};
  ASSIGN_OR_RETURN(etcd.ca_pem, ReadPem(options.etcd_ca));
  ASSIGN_OR_RETURN(etcd.certificate_pem, ReadPem(options.etcd_cert));
  ASSIGN_OR_RETURN(etcd.key_pem, ReadPem(options.etcd_key));
  return etcd;
}

v1::LeaderInfo SelfOf(const ControllerOptions& options) {
  v1::LeaderInfo self;
  self.set_controller_id(replica::RandomId());
  self.set_grpc_address(options.advertise_address);
  return self;
}

// Wakes the main thread whenever the log or who leads has changed.
class Watching {
 public:
  Watching(replica::SharedLog& log, Events& events)
      : thread_([this, &log, &events] { Run(log, events); }) {}
  ~Watching() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      if (stream_ != nullptr) stream_->Cancel();
    }
    changed_.notify_all();
    thread_.join();
  }

 private:
  void Run(replica::SharedLog& log, Events& events) {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      stream_ = log.Watch();
      lock.unlock();
      while (stream_->Next().ok()) events.Wake();
      lock.lock();
      stream_.reset();
      changed_.wait_for(lock, kTick, [this] { return stopping_; });
    }
  }

  std::mutex mutex_;  // Guards what follows, but for Next of the stream.
  std::condition_variable changed_;
  bool stopping_ = false;
  std::unique_ptr<etcd::EtcdClient::WatchStream> stream_;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Member>> Member::Open(const ControllerOptions& options,
                                                     AdminPort& admin_port, Events& events) {
  ASSIGN_OR_RETURN(const etcd::ClientOptions etcd, EtcdOptions(options));
  return std::unique_ptr<Member>(new Member(options, admin_port, events, etcd));
}

Member::Member(const ControllerOptions& options, AdminPort& admin_port, Events& events,
               const etcd::ClientOptions& etcd)
    : options_(options),
      admin_port_(admin_port),
      events_(events),
      client_(etcd),
      log_(client_, options.etcd->prefix),
      election_({.etcd = etcd, .leader_key = log_.leader_key(), .self = SelfOf(options)}) {}

absl::Status Member::Run() {
  while (!events_.ending()) {
    ASSIGN_OR_RETURN(const std::optional<replica::Term> term, Follow());
    if (!term.has_value()) break;
    RETURN_IF_ERROR(Lead(*term));
  }
  return absl::OkStatus();
}

void Member::NoteTrouble(const absl::Status& status) {
  if (!std::exchange(in_trouble_, true)) {
    base::LogWarn("the shared store: {}; trying again", std::string(status.message()));
  }
}

void Member::OnLost() {
  lost_ = true;
  events_.Wake();
}

// --- Following.

absl::StatusOr<std::optional<replica::Term>> Member::Follow() {
  ASSIGN_OR_RETURN(follower_, replica::Follower::Open(options_.data_dir, log_));
  FollowerPort port(options_, admin_port_);
  RETURN_IF_ERROR(port.OpenAdmin());
  heard_ = Clock::now();
  sealer_.reset();
  RETURN_IF_ERROR(OpenPort(port));
  election_.Resign();  // Where it led: etcd may take its time, callers are answered meanwhile.
  const Watching watching(log_, events_);
  while (!events_.ending()) {
    ASSIGN_OR_RETURN(const std::optional<replica::Term> term, Look(port));
    if (term.has_value()) return term;
    for (const auto until = Clock::now() + kLookAtLeast; Clock::now() < until;) {
      const bool woken = events_.Wait(port.is_connecting() ? kConnectingTick : kTick);
      port.Tick();
      if (woken || port.HasLostLeader()) break;
    }
  }
  return std::nullopt;
}

absl::StatusOr<std::optional<replica::Term>> Member::Look(FollowerPort& port) {
  const auto leader = election_.CurrentLeader();
  if (!leader.ok()) {
    NoteTrouble(leader.status());
    // Who led may lead no more.
    if (Clock::now() - heard_ > kBelievedFor) port.SetLeader({});
    return std::nullopt;
  }
  heard_ = Clock::now();
  port.SetLeader(*leader);
  const absl::Status caught_up = follower_->CatchUp();
  if (absl::IsFailedPrecondition(caught_up)) return caught_up;
  if (!caught_up.ok() && !absl::IsNotFound(caught_up)) {
    NoteTrouble(caught_up);
    return std::nullopt;
  }
  in_trouble_ = false;
  RETURN_IF_ERROR(OpenPort(port));
  if (leader->term == 0) return Campaign();
  if (port.HasLostLeader() && IsConnectionRefused(leader->info.grpc_address(), kProbeTimeout)) {
    base::LogWarn("the controller at {}, which led, has gone", leader->info.grpc_address());
    election_.Depose(*leader).IgnoreError();  // It may have gone by itself.
    events_.Wake();
  }
  return std::nullopt;
}

absl::StatusOr<std::optional<replica::Term>> Member::Campaign() {
  lost_ = false;
  const auto term = election_.Campaign([this] { OnLost(); });
  if (!term.ok()) {
    NoteTrouble(term.status());
    return std::nullopt;
  }
  if (!term->has_value()) return std::nullopt;
  // Nobody else writes from now on: what is there now is all.
  const absl::Status caught_up = follower_->CatchUp();
  if (caught_up.ok() || absl::IsNotFound(caught_up)) return *term;
  election_.Resign();
  if (absl::IsFailedPrecondition(caught_up)) return caught_up;
  NoteTrouble(caught_up);
  return std::nullopt;
}

// Of the copy of the shared store, once there is one. Nothing else is believed about a key.
absl::Status Member::CheckSealKey() {
  if (sealer_.has_value() || follower_->position() == store::JournalMark::kNone) {
    return absl::OkStatus();
  }
  const std::string path = fmt::format("{}/{}", options_.data_dir, store::kDatabaseName);
  ASSIGN_OR_RETURN(
      sealer_, store::VersionStore::SealerOf(*follower_->database(), path, SealerLoader(options_)));
  if (!sealer_.has_value()) return absl::DataLossError("the store in etcd is not sealed");
  return absl::OkStatus();
}

// Once all that the port takes is here: of a CA of our own, the copy that it lies in.
absl::Status Member::OpenPort(FollowerPort& port) {
  RETURN_IF_ERROR(CheckSealKey());
  if (port.is_open()) return absl::OkStatus();
  const bool has_copy = sealer_.has_value();
  if (Transport::HasOwnAuthority(options_) && (!has_copy || AuthorityHere().empty())) {
    return absl::OkStatus();
  }
  const trust::Sealer* sealer = sealer_.has_value() ? &*sealer_ : nullptr;
  ASSIGN_OR_RETURN(std::unique_ptr<Transport> transport, Transport::Open(options_, sealer));
  RETURN_IF_ERROR(port.OpenGrpc(std::move(transport)));
  base::LogInfo("sluice-controller {} follows on {}, admin on {}", base::BuildInfo(),
                options_.grpc_address, options_.admin_address);
  return absl::OkStatus();
}

// --- Leading.

std::string Member::AuthorityHere() const {
  const auto pem = base::ReadFile(options_.data_dir + "/trust/ca.crt", kPemFileMax);
  return pem.ok() ? base::HexEncode(base::Sha256(*pem)) : "";
}

// With what is here; nothing: an empty store.
absl::Status Member::BeginStore(replica::EtcdJournal& journal) {
  const bool was_copy = follower_->position() != store::JournalMark::kNone;
  follower_.reset();
  {
    ASSIGN_OR_RETURN(const std::unique_ptr<store::VersionStore> store,
                     store::VersionStore::Open(options_.data_dir, SealerLoader(options_)));
    // Makes what must not be made twice.
    RETURN_IF_ERROR(Transport::Open(options_, store->sealer()).status());
  }
  ASSIGN_OR_RETURN(follower_, replica::Follower::Open(options_.data_dir, log_));
  RETURN_IF_ERROR(follower_->BeginLog(was_copy));
  follower_.reset();
  base::LogInfo("a shared store begins in etcd, at {}, with what is in {}", options_.etcd->prefix,
                options_.data_dir);
  return journal.ReplaceBase();
}

absl::Status Member::Lead(replica::Term term) {
  auto base = log_.Base();
  replica::EtcdJournal journal(log_,
                               {.term = term,
                                .directory = options_.data_dir,
                                .on_lost = [this] { OnLost(); },
                                .entries = base.ok() ? follower_->position() - base->position() : 0,
                                .authority = [this] { return AuthorityHere(); }});
  if (absl::IsNotFound(base.status())) {
    RETURN_IF_ERROR(BeginStore(journal));
    base = log_.Base();
  }
  if (!base.ok()) {
    NoteTrouble(base.status());
    return absl::OkStatus();  // It follows again, and resigns.
  }
  follower_.reset();
  auto server =
      Server::Start(options_, admin_port_,
                    {.journal = &journal, .term = static_cast<uint64_t>(term), .log = base->log()});
  if (lost_) {  // Whatever came of it.
    if (server.ok()) (*server)->Stop(kRetryAfter, milliseconds(0));
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(server.status());
  base::LogInfo("this controller leads (term {})", term);
  if (const absl::Status told = election_.AnnounceServing(); !told.ok()) {
    base::LogWarn("the others could not be told: {}", std::string(told.message()));
    OnLost();
  }
  const bool is_current =
      base->schema_version() == store::kSchemaVersion && base->authority() == AuthorityHere();
  if (!is_current) journal.RequestBase();
  while (!events_.ending() && !lost_) events_.Wait();
  if (lost_) {
    base::LogInfo("another controller may lead from now on");
  } else {
    base::LogInfo("ending");
  }
  // Others need not wait for the lease to end, nor for the calls.
  if (!lost_) election_.Resign();
  (*server)->Stop(kRetryAfter, lost_ ? milliseconds(0) : kGrace);
  return absl::OkStatus();
}

}  // namespace sluice::serve
