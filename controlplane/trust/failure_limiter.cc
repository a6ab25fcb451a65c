#include "controlplane/trust/failure_limiter.h"

#include <algorithm>

#include "common/base/address.h"

namespace sluice::trust {
namespace {

// gRPC escapes the brackets of IPv6 as in a URI.
std::string Unescaped(const std::string& text) {
  std::string plain;
  for (size_t at = 0; at < text.size(); ++at) {
    const std::string code = text.substr(at, 3);
    if (code == "%5B" || code == "%5D") {
      plain += code == "%5B" ? '[' : ']';
      at += 2;
    } else {
      plain += text[at];
    }
  }
  return plain;
}

}  // namespace

double FailureLimiter::FailuresAt(const Entry& entry, int64_t now_ms) const {
  const double seconds = static_cast<double>(std::max<int64_t>(0, now_ms - entry.noted_ms)) / 1000;
  return std::max(0.0, entry.failures - seconds * forgiven_per_second_);
}

bool FailureLimiter::Allows(const std::string& address, int64_t now_ms) const {
  const auto found = by_address_.find(address);
  return found == by_address_.end() || FailuresAt(*found->second, now_ms) + 1 <= burst_;
}

void FailureLimiter::NoteFailure(const std::string& address, int64_t now_ms) {
  const auto found = by_address_.find(address);
  if (found != by_address_.end()) {
    Entry& entry = *found->second;
    entry.failures = std::min(FailuresAt(entry, now_ms) + 1, burst_);
    entry.noted_ms = now_ms;
    entries_.splice(entries_.begin(), entries_, found->second);
    return;
  }
  if (entries_.size() >= kAddressesMax) {
    by_address_.erase(entries_.back().address);
    entries_.pop_back();
  }
  entries_.push_front({address, 1, now_ms});
  by_address_[address] = entries_.begin();
}

std::string AddressOfPeer(const std::string& peer) {
  const size_t colon = peer.find(':');
  if (colon == std::string::npos || (!peer.starts_with("ipv4:") && !peer.starts_with("ipv6:"))) {
    return peer;
  }
  const auto parsed = base::ParseHostPort(Unescaped(peer.substr(colon + 1)));
  if (!parsed.ok()) return peer;
  auto ip = base::ParseIp(parsed->host);
  if (!ip.has_value()) return parsed->host;
  if (!base::IsIpv4(*ip)) std::fill(ip->begin() + 8, ip->end(), uint8_t{0});
  return base::FormatIp(*ip);
}

}  // namespace sluice::trust
