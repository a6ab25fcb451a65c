#include "controlplane/trust/server_files.h"

#include <fmt/format.h>
#include <openssl/err.h>

#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"

namespace sluice::trust {

absl::StatusOr<std::unique_ptr<ServerFiles>> ServerFiles::Open(Paths paths) {
  std::unique_ptr<ServerFiles> files(new ServerFiles(std::move(paths)));
  ASSIGN_OR_RETURN(TlsPair pair, files->Read());
  const std::lock_guard lock(files->mutex_);
  pair.generation = 1;
  files->pair_ = std::make_shared<const TlsPair>(std::move(pair));
  return files;
}

absl::StatusOr<TlsPair> ServerFiles::Read() const {
  TlsPair pair;
  ASSIGN_OR_RETURN(pair.chain_pem, base::ReadFile(paths_.certificate, kPemBytesMax));
  ASSIGN_OR_RETURN(pair.key_pem, base::ReadFile(paths_.key, kPemBytesMax));
  ASSIGN_OR_RETURN(pair.roots_pem, base::ReadFile(paths_.ca, kPemBytesMax));
  const auto in_file = [](const std::string& path, const absl::Status& status) {
    return absl::Status(status.code(), fmt::format("{}: {}", path, std::string(status.message())));
  };
  const auto certificate = ParseCertificate(pair.chain_pem);
  if (!certificate.ok()) return in_file(paths_.certificate, certificate.status());
  const auto key = ParseKey(pair.key_pem);
  if (!key.ok()) return in_file(paths_.key, key.status());
  if (const auto roots = ParseCertificates(pair.roots_pem); !roots.ok()) {
    return in_file(paths_.ca, roots.status());
  }
  if (X509_check_private_key(certificate->get(), key->get()) != 1) {
    ERR_clear_error();
    return absl::InvalidArgumentError(
        fmt::format("{} and {} do not belong together", paths_.certificate, paths_.key));
  }
  return pair;
}

std::shared_ptr<const TlsPair> ServerFiles::Current(int64_t now_unix) {
  const std::lock_guard lock(mutex_);
  if (now_unix == read_unix_) return pair_;
  read_unix_ = now_unix;
  auto found = Read();
  const std::string problem = found.ok() ? "" : std::string(found.status().message());
  if (problem != problem_ && !problem.empty()) {
    base::LogError("the controller's certificate stays as it is: {}", problem);
  }
  problem_ = problem;
  if (!found.ok()) return pair_;
  const bool same = found->chain_pem == pair_->chain_pem && found->key_pem == pair_->key_pem &&
                    found->roots_pem == pair_->roots_pem;
  if (same) return pair_;
  found->generation = pair_->generation + 1;
  pair_ = std::make_shared<const TlsPair>(*std::move(found));
  base::LogInfo("the controller's certificate has been replaced: {}", paths_.certificate);
  return pair_;
}

}  // namespace sluice::trust
