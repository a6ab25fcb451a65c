// Who the client is, as far as hops may be believed: the last address in X-Forwarded-For that is
// not one of the trusted proxies, looking back from the peer itself.
//
// Hot path.
#pragma once

#include <span>
#include <string_view>

#include "common/base/address.h"
#include "dataplane/exchange/incoming_request.h"
#include "dataplane/proxyproto/proxy_header.h"

namespace sluice::exchange {

struct ClientAddress {
  std::string_view ip;  // Text.
  bool peer_trusted = false;
};

ClientAddress FindClientAddress(std::string_view peer_ip, const base::IpBytes& peer,
                                const http::RequestHead& head,
                                std::span<const base::Cidr> trusted_proxies);

// From the client to where it reached us. The client's port is 0 unless it is the peer itself: no
// hop tells it.
proxyproto::ConnectionEnds FindClientEnds(const ClientAddress& client,
                                          const IncomingRequest& request);

}  // namespace sluice::exchange
