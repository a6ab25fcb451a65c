#include "controlplane/etcd/etcd_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "common/base/status_macros.h"

namespace sluice::etcd {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
using WallClock = std::chrono::system_clock;  // Deadlines of gRPC's.

constexpr milliseconds kPause{20};
constexpr int kMessageBytesMax = 64 * 1024 * 1024;

std::shared_ptr<grpc::Channel> MakeChannel(const ClientOptions& options,
                                           const std::string& endpoint) {
  auto credentials = grpc::InsecureChannelCredentials();
  if (!options.ca_pem.empty()) {
    credentials = grpc::SslCredentials({.pem_root_certs = options.ca_pem,
                                        .pem_private_key = options.key_pem,
                                        .pem_cert_chain = options.certificate_pem});
  }
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  // etcd ends connections that ping more often than every five seconds, or without a call.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 6'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 2'000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1'000);  // Also how long connecting may take.
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1'000);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(endpoint, credentials, arguments);
}

// A member without the others refuses at once instead of waiting for them.
void AskForLeader(grpc::ClientContext* context) { context->AddMetadata("hasleader", "true"); }

bool IsFinal(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::CANCELLED:
      return false;
    default:
      return true;
  }
}

absl::Status FromGrpc(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

}  // namespace

std::string EndOfPrefix(std::string prefix) {
  while (!prefix.empty()) {
    if (static_cast<unsigned char>(prefix.back()) != 0xff) {
      ++prefix.back();
      return prefix;
    }
    prefix.pop_back();
  }
  return std::string(1, '\0');  // All that follow.
}

EtcdClient::EtcdClient(ClientOptions options) : options_(std::move(options)) {
  for (const std::string& endpoint : options_.endpoints) {
    const auto channel = MakeChannel(options_, endpoint);
    members_.push_back({endpoint, etcdserverpb::KV::NewStub(channel),
                        etcdserverpb::Lease::NewStub(channel),
                        etcdserverpb::Watch::NewStub(channel)});
  }
}

template <typename Call>
absl::Status EtcdClient::OnSomeMember(std::string_view what, Call call) {
  const auto end = Clock::now() + options_.call_timeout;
  std::string problems;
  for (size_t tries = 1;; ++tries) {
    size_t index = next_;
    Member& member = members_[index % members_.size()];
    grpc::ClientContext context;
    AskForLeader(&context);
    const auto left = std::chrono::duration_cast<milliseconds>(end - Clock::now());
    context.set_deadline(WallClock::now() + std::min(left, options_.try_timeout));
    const grpc::Status status = call(member, context);
    if (status.ok()) return absl::OkStatus();
    if (IsFinal(status)) return FromGrpc(status);
    if (problems.find(member.endpoint) == std::string::npos) {
      problems += fmt::format("{}{}: {}", problems.empty() ? "" : "; ", member.endpoint,
                              status.error_message());
    }
    next_.compare_exchange_strong(index, index + 1);  // Unless another call was faster.
    // None of them was there, and may have said so at once.
    if (tries % members_.size() == 0) std::this_thread::sleep_for(kPause);
    if (Clock::now() >= end) {
      return absl::UnavailableError(fmt::format("etcd does not {}: {}", what, problems));
    }
  }
}

absl::StatusOr<etcdserverpb::RangeResponse> EtcdClient::Range(
    const etcdserverpb::RangeRequest& request) {
  etcdserverpb::RangeResponse response;
  RETURN_IF_ERROR(OnSomeMember("answer", [&](Member& member, grpc::ClientContext& context) {
    return member.kv->Range(&context, request, &response);
  }));
  return response;
}

absl::StatusOr<etcdserverpb::TxnResponse> EtcdClient::Txn(const etcdserverpb::TxnRequest& request) {
  etcdserverpb::TxnResponse response;
  RETURN_IF_ERROR(OnSomeMember("write", [&](Member& member, grpc::ClientContext& context) {
    return member.kv->Txn(&context, request, &response);
  }));
  return response;
}

absl::Status EtcdClient::Put(std::string key, std::string value) {
  etcdserverpb::PutRequest request;
  request.set_key(std::move(key));
  request.set_value(std::move(value));
  etcdserverpb::PutResponse response;
  return OnSomeMember("write", [&](Member& member, grpc::ClientContext& context) {
    return member.kv->Put(&context, request, &response);
  });
}

absl::Status EtcdClient::DeleteRange(const std::string& from, const std::string& end) {
  etcdserverpb::DeleteRangeRequest request;
  request.set_key(from);
  request.set_range_end(end);
  etcdserverpb::DeleteRangeResponse response;
  return OnSomeMember("delete", [&](Member& member, grpc::ClientContext& context) {
    return member.kv->DeleteRange(&context, request, &response);
  });
}

absl::StatusOr<int64_t> EtcdClient::GrantLease(std::chrono::seconds ttl) {
  etcdserverpb::LeaseGrantRequest request;
  request.set_ttl(ttl.count());
  etcdserverpb::LeaseGrantResponse response;
  RETURN_IF_ERROR(OnSomeMember("grant a lease", [&](Member& member, grpc::ClientContext& context) {
    return member.lease->LeaseGrant(&context, request, &response);
  }));
  return response.id();
}

absl::Status EtcdClient::KeepLeaseAlive(int64_t lease) {
  etcdserverpb::LeaseKeepAliveRequest request;
  request.set_id(lease);
  etcdserverpb::LeaseKeepAliveResponse response;
  RETURN_IF_ERROR(OnSomeMember("keep a lease", [&](Member& member, grpc::ClientContext& context) {
    const auto stream = member.lease->LeaseKeepAlive(&context);
    const bool answered = stream->Write(request) && stream->Read(&response);
    stream->WritesDone();
    if (answered) {
      context.TryCancel();
      (void)stream->Finish();
      return grpc::Status::OK;
    }
    const grpc::Status status = stream->Finish();
    return status.ok() ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "no answer") : status;
  }));
  if (response.ttl() > 0) return absl::OkStatus();
  return absl::NotFoundError("the lease has expired");
}

absl::Status EtcdClient::RevokeLease(int64_t lease) {
  etcdserverpb::LeaseRevokeRequest request;
  request.set_id(lease);
  etcdserverpb::LeaseRevokeResponse response;
  return OnSomeMember("revoke a lease", [&](Member& member, grpc::ClientContext& context) {
    return member.lease->LeaseRevoke(&context, request, &response);
  });
}

// --- Watching.

EtcdClient::WatchStream::WatchStream(etcdserverpb::Watch::Stub& stub) {
  AskForLeader(&context_);
  stream_ = stub.Watch(&context_);
}

EtcdClient::WatchStream::~WatchStream() {
  context_.TryCancel();
  (void)stream_->Finish();
}

absl::StatusOr<etcdserverpb::WatchResponse> EtcdClient::WatchStream::Next() {
  etcdserverpb::WatchResponse response;
  if (!stream_->Read(&response)) return absl::UnavailableError("the watch has ended");
  if (response.canceled()) return absl::UnavailableError(response.cancel_reason());
  return response;
}

std::unique_ptr<EtcdClient::WatchStream> EtcdClient::Watch(const std::string& from,
                                                           const std::string& end) {
  // Each further one at the next member: the one before may have ended with its.
  std::unique_ptr<WatchStream> watch(new WatchStream(*members_[next_++ % members_.size()].watch));
  etcdserverpb::WatchRequest request;
  request.mutable_create_request()->set_key(from);
  request.mutable_create_request()->set_range_end(end);
  watch->stream_->Write(request);  // If it fails, so does Next.
  return watch;
}

}  // namespace sluice::etcd
