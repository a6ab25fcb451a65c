// What server and client contexts share.
#pragma once

#include <openssl/ssl.h>

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "dataplane/tls/context.h"

namespace sluice::tls {

// TLS 1.2 and up, no renegotiation, no compression, partial writes; idle sessions hold no buffers.
SslCtxPtr NewContext(const SSL_METHOD* method);

// Protocol names in wire form (RFC 7301 section 3.1): each with its length before it.
absl::StatusOr<std::string> EncodeAlpn(const std::vector<std::string>& protocols);

// Empties OpenSSL's error queue of this thread into one text.
std::string TakeErrors();

std::string LowerCase(std::string_view text);  // ASCII only.

}  // namespace sluice::tls
