#include "dataplane/tls/roots.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include <mutex>

#include "common/base/check.h"
#include "dataplane/tls/certificate.h"
#include "dataplane/tls/ssl_common.h"

namespace sluice::tls {
namespace {

StorePtr NewStore() {
  StorePtr store(X509_STORE_new(), X509_STORE_free);
  SLUICE_CHECK(store != nullptr);
  return store;
}

}  // namespace

absl::StatusOr<StorePtr> SystemRoots() {
  static std::mutex mutex;
  static std::weak_ptr<X509_STORE> shared;
  const std::lock_guard lock(mutex);
  if (StorePtr store = shared.lock()) return store;
  ERR_clear_error();
  StorePtr store = NewStore();
  if (X509_STORE_set_default_paths(store.get()) != 1) {
    return absl::FailedPreconditionError(fmt::format(
        "the system's root certificates cannot be read ({}); install ca-certificates or name a ca",
        TakeErrors()));
  }
  ERR_clear_error();
  shared = store;
  return store;
}

absl::StatusOr<StorePtr> RootsFrom(const std::string& ca_pem) {
  auto roots = ParseCertificatesPem(ca_pem);
  if (!roots.ok()) {
    return absl::InvalidArgumentError(fmt::format("ca: {}", std::string(roots.status().message())));
  }
  StorePtr store = NewStore();
  for (const X509Ptr& root : *roots) {
    if (X509_STORE_add_cert(store.get(), root.get()) != 1) {
      return absl::InvalidArgumentError(fmt::format("ca: {}", TakeErrors()));
    }
  }
  // What the operator names is trusted as it stands, be it an intermediate or the peer's own.
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN);
  return store;
}

}  // namespace sluice::tls
