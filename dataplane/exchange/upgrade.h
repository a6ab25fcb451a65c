// Upgrades: what a request asks to switch to (RFC 9110 section 7.8, RFC 6455, RFC 8441).
//
// Not on the path of ordinary requests.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "common/base/random.h"
#include "dataplane/exchange/incoming_request.h"
#include "dataplane/http/failure.h"

namespace sluice::exchange {

inline constexpr size_t kWebSocketKeyChars = 24;

struct Upgrade {
  std::string_view protocol;  // Empty: none is asked for, or none that the route allows.
  // The client sent CONNECT with :protocol (RFC 8441): to HTTP/1.1 it becomes GET with Upgrade.
  bool by_connect = false;
  // Sec-WebSocket-Key as it goes upstream; empty if the protocol is another one.
  std::string_view key;
  char key_made[kWebSocketKeyChars];

  explicit operator bool() const { return !protocol.empty(); }
  bool is_websocket() const { return !key.empty(); }
};

// Reads what `request` asks for into `*upgrade`. `allowed`: in lower case. A failure for a
// WebSocket handshake that cannot be one (RFC 6455 section 4.2.1), and for CONNECT to a protocol
// that is not allowed; an Upgrade field that is not allowed is as good as absent.
http::Failure ReadUpgrade(const IncomingRequest& request, std::span<const std::string> allowed,
                          base::Random& random, Upgrade* upgrade);

// Whether `response` (101) switches to what was asked for.
bool AcceptsUpgrade(const Upgrade& upgrade, const http::ResponseHead& response);

bool IsWebSocketAccept(std::string_view field_name);
// Sec-WebSocket-Accept for a key.
std::string WebSocketAccept(std::string_view key);

}  // namespace sluice::exchange
