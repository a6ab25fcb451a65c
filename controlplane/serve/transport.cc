#include "controlplane/serve/transport.h"

#include "common/base/address.h"
#include "common/base/clock.h"
#include "common/base/status_macros.h"
#include "controlplane/trust/server_credentials.h"

namespace sluice::serve {
namespace {

int64_t NowUnix() { return base::UnixMillis() / 1000; }

}  // namespace

absl::StatusOr<std::unique_ptr<Transport>> Transport::Open(const ControllerOptions& options,
                                                           const trust::Sealer* sealer) {
  std::unique_ptr<Transport> transport(new Transport);
  if (options.insecure) return transport;
  if (!options.tls_ca.empty()) {
    ASSIGN_OR_RETURN(transport->files_, trust::ServerFiles::Open({.certificate = options.tls_cert,
                                                                  .key = options.tls_key,
                                                                  .ca = options.tls_ca}));
    return transport;
  }
  trust::OwnTrustOptions own{.data_dir = options.data_dir,
                             .grpc_address = options.grpc_address,
                             .names = options.tls_names};
  if (const auto reached = base::ParseHostPort(options.advertise_address); reached.ok()) {
    own.names.push_back(reached->host);
  }
  ASSIGN_OR_RETURN(transport->own_, trust::OwnTrust::Open(own, *sealer, NowUnix()));
  return transport;
}

std::shared_ptr<grpc::ServerCredentials> Transport::ForServer() const {
  if (own_ != nullptr) {
    return std::make_shared<trust::ReloadingServerCredentials>(
        [own = own_.get()] { return own->server().Current(NowUnix()); });
  }
  if (files_ != nullptr) {
    return std::make_shared<trust::ReloadingServerCredentials>(
        [files = files_.get()] { return files->Current(NowUnix()); });
  }
  return grpc::InsecureServerCredentials();
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> Transport::ForRelay() const {
  trust::TlsPair pair;
  if (own_ != nullptr) {
    ASSIGN_OR_RETURN(pair, own_->IssueForRelay(NowUnix()));
  } else if (files_ != nullptr) {
    pair = *files_->Current(NowUnix());
  } else {
    return grpc::InsecureChannelCredentials();
  }
  return grpc::SslCredentials({.pem_root_certs = pair.roots_pem,
                               .pem_private_key = pair.key_pem,
                               .pem_cert_chain = pair.chain_pem});
}

uint64_t Transport::generation() const {
  return files_ == nullptr ? 0 : files_->Current(NowUnix())->generation;
}

trust::Authority Transport::authority() const {
  return files_ != nullptr ? trust::Authority::kExternal : trust::Authority::kOwn;
}

}  // namespace sluice::serve
