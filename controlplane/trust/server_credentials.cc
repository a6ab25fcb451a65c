#include "controlplane/trust/server_credentials.h"

#include "common/base/check.h"

namespace sluice::trust {

ReloadingServerCredentials::ReloadingServerCredentials(Fetch fetch) : fetch_(std::move(fetch)) {
  grpc_ssl_server_credentials_options* options =
      grpc_ssl_server_credentials_create_options_using_config_fetcher(
          GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY, &Reload, this);
  credentials_ = grpc_ssl_server_credentials_create_with_options(options);
}

ReloadingServerCredentials::~ReloadingServerCredentials() {
  grpc_server_credentials_release(credentials_);
}

void ReloadingServerCredentials::SetAuthMetadataProcessor(
    const std::shared_ptr<grpc::AuthMetadataProcessor>&) {
  SLUICE_CHECK(false);  // The guard does that work; nobody sets one.
}

int ReloadingServerCredentials::AddPortToServer(const std::string& address, grpc_server* server) {
  return grpc_server_add_http2_port(server, address.c_str(), credentials_);
}

grpc_ssl_certificate_config_reload_status ReloadingServerCredentials::Reload(
    void* self, grpc_ssl_server_certificate_config** config) {
  auto* credentials = static_cast<ReloadingServerCredentials*>(self);
  const std::shared_ptr<const TlsPair> pair = credentials->fetch_();
  if (pair == nullptr) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_FAIL;
  if (pair->generation == credentials->generation_) {
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
  }
  credentials->generation_ = pair->generation;
  const grpc_ssl_pem_key_cert_pair pem{pair->key_pem.c_str(), pair->chain_pem.c_str()};
  *config = grpc_ssl_server_certificate_config_create(pair->roots_pem.c_str(), &pem, 1);
  return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

}  // namespace sluice::trust
