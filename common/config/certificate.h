// Certificates and keys as text: are they usable, and what do they say?
//
// Expiry is no error here: what to do about it is the reader's choice.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sluice/v1/admin_service.pb.h"
#include "sluice/v1/certificate.pb.h"

namespace sluice::config {

inline constexpr size_t kPemBytesMax = 1 << 20;
inline constexpr int kChainCertificatesMax = 16;
inline constexpr int kCaCertificatesMax = 1024;

// What the leaf says; the key is not looked at.
absl::StatusOr<v1::CertificateInfo> DescribeCertificate(const v1::Certificate& certificate);

// Leaf first, every block well-formed.
absl::Status CheckChain(std::string_view chain_pem);

// Readable without a password, strong enough for TLS (112 bits), and the key of the chain's leaf.
absl::Status CheckKey(std::string_view chain_pem, std::string_view key_pem);

// One certificate or more, as for verifying peers.
absl::Status CheckCaBundle(std::string_view ca_pem);

// The certificates of the text and nothing else of it: files often hold the private key, too, and
// what is said to be public is sent and shown. As many as CheckChain and CheckCaBundle take.
absl::StatusOr<std::string> ChainIn(std::string_view pem);
absl::StatusOr<std::string> CaBundleIn(std::string_view pem);

}  // namespace sluice::config
