// etcd's keys, leases and watches, by whichever member answers.
//
// Thread-safe; calls block. A member that does not answer, or has lost the others, is left for the
// next one, until the time of the call is over. A call that fails may have been carried out: who
// writes under a condition must look.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "etcdserverpb/etcd.grpc.pb.h"

namespace sluice::etcd {

struct ClientOptions {
  std::vector<std::string> endpoints;             // host:port of the members.
  std::string ca_pem, certificate_pem, key_pem;   // Empty `ca_pem`: plain text.
  std::chrono::milliseconds try_timeout{1'000};   // Of one member's answer.
  std::chrono::milliseconds call_timeout{2'500};  // Of a call, all tries together.
};

// The end of the range of keys that begin with `prefix`.
std::string EndOfPrefix(std::string prefix);

class EtcdClient {
 public:
  explicit EtcdClient(ClientOptions options);

  // Of the newest state that most members agree on.
  absl::StatusOr<etcdserverpb::RangeResponse> Range(const etcdserverpb::RangeRequest& request);
  absl::StatusOr<etcdserverpb::TxnResponse> Txn(const etcdserverpb::TxnRequest& request);
  absl::Status Put(std::string key, std::string value);
  absl::Status DeleteRange(const std::string& from, const std::string& end);

  // The lease's id.
  absl::StatusOr<int64_t> GrantLease(std::chrono::seconds ttl);
  // kNotFound: there is none of that id any more.
  absl::Status KeepLeaseAlive(int64_t lease);
  absl::Status RevokeLease(int64_t lease);

  // What happens to keys of a range, from now on.
  class WatchStream {
   public:
    // Waits for what comes next. Not OK: after Cancel, or the member has gone: watch again.
    absl::StatusOr<etcdserverpb::WatchResponse> Next();
    // From any thread: Next returns, and fails from then on.
    void Cancel() { context_.TryCancel(); }
    ~WatchStream();

   private:
    friend class EtcdClient;
    explicit WatchStream(etcdserverpb::Watch::Stub& stub);
    grpc::ClientContext context_;
    std::unique_ptr<
        grpc::ClientReaderWriter<etcdserverpb::WatchRequest, etcdserverpb::WatchResponse>>
        stream_;
  };
  std::unique_ptr<WatchStream> Watch(const std::string& from, const std::string& end);

 private:
  struct Member {
    std::string endpoint;
    std::unique_ptr<etcdserverpb::KV::Stub> kv;
    std::unique_ptr<etcdserverpb::Lease::Stub> lease;
    std::unique_ptr<etcdserverpb::Watch::Stub> watch;
  };
  // Calls `call(member, context)` until a member's answer is final.
  template <typename Call>
  absl::Status OnSomeMember(std::string_view what, Call call);

  const ClientOptions options_;
  std::vector<Member> members_;
  std::atomic<size_t> next_{0};  // The member that answered last.
};

}  // namespace sluice::etcd
