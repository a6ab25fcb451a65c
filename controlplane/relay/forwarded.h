// What a controller that passes a call on says of the caller, and who may say so.
//
// Clients cannot forge it: the one who passes on removes what they send, and the one who leads
// believes only those who prove to be a controller.
#pragma once

namespace sluice::relay {

inline constexpr char kPeerKey[] = "x-sluice-peer";                    // As gRPC writes addresses.
inline constexpr char kCertificateKey[] = "x-sluice-certificate-bin";  // PEM; absent: it had none.

}  // namespace sluice::relay
