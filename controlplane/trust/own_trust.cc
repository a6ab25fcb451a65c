#include "controlplane/trust/own_trust.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "common/base/address.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/trust/identity.h"
#include "controlplane/store/data_folder.h"

namespace sluice::trust {
namespace {

// Nothing revokes it but its end.
constexpr std::chrono::hours kOperatorLifetime{30 * 24};
constexpr char kOperatorName[] = "local";

std::string HostName() {
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return name;
}

// An address and a name are certified in different ways.
void Sort(const std::set<std::string>& names, ServerIdentity::Options* options) {
  for (const std::string& name : names) {
    if (const auto ip = base::ParseIp(name); ip.has_value()) {
      options->ip_addresses.push_back(base::FormatIp(*ip));
    } else {
      options->dns_names.push_back(name);
    }
  }
}

// Where sluicectl on this machine finds it.
std::string LocalAddress(const std::string& grpc_address) {
  auto address = base::ResolveNumeric(grpc_address);
  if (!address.ok() || !address->is_unspecified()) return grpc_address;
  return base::FormatHostPort(address->family() == AF_INET6 ? "::1" : "127.0.0.1", address->port());
}

bool IsCurrent(const std::string& pem, const std::string& ca_pem, int64_t now_unix) {
  const auto certificate = ParseCertificate(pem);
  const auto key = ParseKey(pem);
  const auto ca = ParseCertificate(ca_pem);
  if (!certificate.ok() || !key.ok() || !ca.ok()) return false;
  const int64_t from = NotBefore(certificate->get()), until = NotAfter(certificate->get());
  return X509_check_private_key(certificate->get(), key->get()) == 1 &&
         X509_verify(certificate->get(), X509_get0_pubkey(ca->get())) == 1 &&
         now_unix < from + (until - from) * 2 / 3;
}

// Spares the disk, and whoever watches the file.
absl::Status KeepFile(const std::string& path, const std::string& content) {
  const auto found = base::ReadFile(path, kPemBytesMax);
  if (found.ok() && *found == content) return absl::OkStatus();
  return base::WriteFileAtomically(path, content, 0600);
}

}  // namespace

absl::StatusOr<std::unique_ptr<OwnTrust>> OwnTrust::Open(const OwnTrustOptions& options,
                                                         const Sealer& sealer, int64_t now_unix) {
  const std::string folder = options.data_dir + "/trust";
  RETURN_IF_ERROR(PreparePrivateFolder(folder));
  RETURN_IF_ERROR(
      PreparePrivateFolder(fmt::format("{}/{}", options.data_dir, store::kOperatorFolder)));
  std::unique_ptr<OwnTrust> trust(new OwnTrust(options));
  ASSIGN_OR_RETURN(trust->authority_, CertificateAuthority::Open(folder, sealer, now_unix));
  std::set<std::string> names = {"localhost", "127.0.0.1", "::1", HostName()};
  names.insert(options.names.begin(), options.names.end());
  const auto bound = base::ParseHostPort(options.grpc_address);
  const auto numeric = base::ResolveNumeric(options.grpc_address);
  if (bound.ok() && !(numeric.ok() && numeric->is_unspecified())) names.insert(bound->host);
  names.erase("");
  ServerIdentity::Options server;
  server.directory = folder;
  Sort(names, &server);
  ASSIGN_OR_RETURN(trust->server_,
                   ServerIdentity::Open(std::move(server), *trust->authority_, sealer, now_unix));
  RETURN_IF_ERROR(trust->KeepOperator(now_unix));
  return trust;
}

absl::StatusOr<TlsPair> OwnTrust::IssueForRelay(int64_t now_unix) const {
  ASSIGN_OR_RETURN(const KeyPtr key, MakeKey());
  TlsPair pair;
  const std::string name = HostName();
  ASSIGN_OR_RETURN(pair.chain_pem,
                   authority_->Issue(key.get(),
                                     {.use = CertificateRequest::Use::kClient,
                                      .common_name = name,
                                      .dns_names = {},
                                      .ip_addresses = {},
                                      .uris = {ControllerUri(name.empty() ? "controller" : name)},
                                      .lifetime = kRelayLifetime},
                                     now_unix));
  ASSIGN_OR_RETURN(pair.key_pem, PemOf(key.get()));
  pair.roots_pem = authority_->certificate_pem();
  return pair;
}

absl::Status OwnTrust::KeepOperator(int64_t now_unix) const {
  const std::string folder = fmt::format("{}/{}", options_.data_dir, store::kOperatorFolder);
  const std::string path = folder + "/operator.pem";
  RETURN_IF_ERROR(KeepFile(folder + "/ca.crt", authority_->certificate_pem()));
  const auto present = base::ReadFile(path, kPemBytesMax);
  if (!present.ok() || !IsCurrent(*present, authority_->certificate_pem(), now_unix)) {
    ASSIGN_OR_RETURN(const KeyPtr key, MakeKey());
    ASSIGN_OR_RETURN(const std::string certificate,
                     authority_->Issue(key.get(),
                                       {.use = CertificateRequest::Use::kClient,
                                        .common_name = kOperatorName,
                                        .dns_names = {},
                                        .ip_addresses = {},
                                        .uris = {OperatorUri(Role::kAdmin, kOperatorName)},
                                        .lifetime = kOperatorLifetime},
                                       now_unix));
    ASSIGN_OR_RETURN(const std::string key_pem, PemOf(key.get()));
    RETURN_IF_ERROR(base::WriteFileAtomically(path, certificate + key_pem, 0600));
    base::LogInfo("the credential of this machine's operator is in {}", folder);
  }
  // Last: it names the others.
  return KeepFile(folder + "/context.yaml",
                  fmt::format("# Made by sluice-controller for sluicectl on this machine.\n"
                              "controller: '{}'\n"
                              "tls_ca: 'ca.crt'\n"
                              "tls_cert: 'operator.pem'\n"
                              "tls_key: 'operator.pem'\n",
                              LocalAddress(options_.grpc_address)));
}

}  // namespace sluice::trust
