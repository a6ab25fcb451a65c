// The authorities that peers' certificates are verified against.
//
// Control thread, when a snapshot is prepared; immutable then.
#pragma once

#include <openssl/x509.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace sluice::tls {

using StorePtr = std::shared_ptr<X509_STORE>;

// Reading the system's roots takes some ten milliseconds and a megabyte: contexts that live at the
// same time share them.
absl::StatusOr<StorePtr> SystemRoots();

// From PEM text. What stands in it is trusted, whoever issued it.
absl::StatusOr<StorePtr> RootsFrom(const std::string& ca_pem);

}  // namespace sluice::tls
