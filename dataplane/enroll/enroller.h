// Gets this node its certificate and renews it, on a thread of its own: traffic and the control
// stream never wait for it.
//
// The control client reads the files anew for every connection, so a renewed certificate is used
// from the next one on; the present stream stays as it is.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/backoff.h"
#include "common/base/random.h"
#include "dataplane/enroll/node_certificate.h"

namespace grpc {
class ClientContext;
}

namespace sluice::enroll {

struct EnrollerOptions {
  std::vector<std::string> controllers;  // host:port; at least one.
  std::string state_dir;
  std::string node_id;
  std::string join_token_file;  // Read for every attempt; empty: there must be a certificate.
  std::chrono::milliseconds retry_min{500}, retry_max{30'000};
};

class Enroller {
 public:
  // `on_ready` is called once, on the enroller's thread, when there is a certificate to connect
  // with.
  Enroller(EnrollerOptions options, std::function<void()> on_ready);
  ~Enroller();
  Enroller(const Enroller&) = delete;
  Enroller& operator=(const Enroller&) = delete;

  // Not OK: it cannot ever come to a certificate, or has one of another node.
  absl::Status Check() const;
  void Start();
  // Gives up what is under way. Any thread, as all below.
  void Stop();
  // The controller refused the certificate: it is renewed now, or joined anew with a new token.
  void NoteRefused();

  const NodeCertificate& certificate() const { return certificate_; }

 private:
  void Run();
  // Until the certificate has been used for long enough; false: there is none that is valid.
  bool AwaitRenewal();
  absl::Status Join(const std::string& controller);
  absl::Status Renew(const std::string& controller);
  // A controller that lost its disk has another CA: then nobody who could renew is there, and a
  // token of the new one is what helps.
  bool HasTokenOfAnotherAuthority() const;
  // Reads the token; kNotFound: none that has not been refused before.
  absl::StatusOr<std::string> ReadToken() const;
  void Attempt(bool has_certificate);
  // Sleeps; returns early, with false, when it is to stop.
  bool Sleep(std::chrono::milliseconds duration);
  bool stopping() const;
  // Registers the call so that Stop can end it; nothing when it is too late.
  bool BeginCall(::grpc::ClientContext* context);
  void EndCall();

  const EnrollerOptions options_;
  const std::function<void()> on_ready_;
  const NodeCertificate certificate_;
  base::Backoff backoff_;
  base::Random random_;
  std::string refused_token_;  // Not shown again.
  std::string last_problem_;   // Logged once.
  bool ready_ = false;
  int64_t due_ms_ = 0;  // When to renew, by the system's clock.
  size_t next_controller_ = 0;

  mutable std::mutex mutex_;  // Guards what follows.
  std::condition_variable changed_;
  ::grpc::ClientContext* call_ = nullptr;
  bool stopping_ = false;
  bool refused_ = false;
  std::thread thread_;
};

}  // namespace sluice::enroll
