#include "dataplane/exchange/client_address.h"

namespace sluice::exchange {
namespace {

bool IsTrusted(const base::IpBytes& ip, std::span<const base::Cidr> trusted_proxies) {
  for (const base::Cidr& block : trusted_proxies) {
    if (block.Contains(ip)) return true;
  }
  return false;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Hops newest first. False when the walk is over and `*client` is final.
bool WalkBack(std::string_view list, std::span<const base::Cidr> trusted_proxies,
              std::string_view* client) {
  for (;;) {
    const size_t comma = list.rfind(',');
    const std::string_view hop =
        Trim(comma == std::string_view::npos ? list : list.substr(comma + 1));
    const auto ip = base::ParseIp(hop);
    if (!ip.has_value()) return false;  // Not an address: believe nothing before it either.
    *client = hop;
    if (!IsTrusted(*ip, trusted_proxies)) return false;
    if (comma == std::string_view::npos) return true;
    list = list.substr(0, comma);
  }
}

}  // namespace

ClientAddress FindClientAddress(std::string_view peer_ip, const base::IpBytes& peer,
                                const http::RequestHead& head,
                                std::span<const base::Cidr> trusted_proxies) {
  ClientAddress result{.ip = peer_ip};
  if (trusted_proxies.empty() || !IsTrusted(peer, trusted_proxies)) return result;
  result.peer_trusted = true;
  for (auto field = head.fields.rbegin(); field != head.fields.rend(); ++field) {
    if (field->id != http::FieldId::kXForwardedFor) continue;
    if (!WalkBack(field->value, trusted_proxies, &result.ip)) break;
  }
  return result;
}

proxyproto::ConnectionEnds FindClientEnds(const ClientAddress& client,
                                          const IncomingRequest& request) {
  proxyproto::ConnectionEnds ends;
  ends.source = request.peer;
  if (client.ip == request.peer_ip) {
    ends.source_port = request.peer_port;
  } else if (const auto ip = base::ParseIp(client.ip); ip.has_value()) {
    ends.source = *ip;
  }
  sockaddr_storage local{};
  auto* const address = reinterpret_cast<sockaddr*>(&local);
  socklen_t bytes = sizeof local;
  if (getsockname(request.client_fd, address, &bytes) == 0) {
    ends.destination = base::IpBytesOf(address).value_or(base::IpBytes{});
    ends.destination_port = base::PortOf(address);
  }
  return ends;
}

}  // namespace sluice::exchange
