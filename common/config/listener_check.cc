#include <unordered_set>

#include "common/base/address.h"
#include "common/config/certificate.h"
#include "common/config/checks.h"
#include "common/config/words.h"

namespace sluice::config {
namespace {

void CheckClientAuth(const v1::ListenerTls& tls, ResourceErrors* errors) {
  if (!tls.has_client_auth()) return;
  const v1::ClientAuth& auth = tls.client_auth();
  if (!tls.enabled()) {
    errors->Add("tls.client_auth",
                "without TLS nobody is asked for a certificate; enable TLS or remove client_auth");
  }
  if (!v1::ClientAuth::Mode_IsValid(auth.mode())) {
    errors->Add("tls.client_auth.mode",
                fmt::format("mode {} is not known; use required or optional",
                            static_cast<int>(auth.mode())));
  }
  const absl::Status status = CheckCaBundle(auth.ca_pem());
  if (!status.ok()) errors->Add("tls.client_auth.ca_pem", std::string(status.message()));
}

void CheckTls(const v1::ListenerTls& tls, const Known& known, ResourceErrors* errors) {
  if (!tls.min_version().empty() && tls.min_version() != "1.2" && tls.min_version() != "1.3") {
    errors->Add("tls.min_version",
                fmt::format("'{}' is not supported; use 1.2 or 1.3", tls.min_version()));
  }
  CheckClientAuth(tls, errors);
  if (!tls.enabled()) return;
  if (tls.certificates().empty()) {
    errors->Add("tls.certificates", "TLS needs a certificate; give cert_path and key_path");
  }
  std::unordered_set<std::string> seen;
  for (int i = 0; i < tls.certificates_size(); ++i) {
    const std::string& name = tls.certificates(i);
    const std::string field = fmt::format("tls.certificates[{}]", i);
    if (known.certificates.count(name) == 0) {
      errors->Add(field, UnknownReference("certificate", name, known.certificates));
    } else if (!seen.insert(name).second) {
      errors->Add(field, fmt::format("certificate '{}' is listed twice; remove one", name));
    }
  }
}

void CheckTimeouts(const v1::DownstreamTimeouts& timeouts, ResourceErrors* errors) {
  AddProblem("timeouts.handshake_ms", DurationProblem(timeouts.handshake_ms()), errors);
  AddProblem("timeouts.header_ms", DurationProblem(timeouts.header_ms()), errors);
  AddProblem("timeouts.idle_ms", DurationProblem(timeouts.idle_ms()), errors);
  AddProblem("timeouts.keep_alive_ms", DurationProblem(timeouts.keep_alive_ms()), errors);
  AddProblem("timeouts.half_close_ms", DurationProblem(timeouts.half_close_ms()), errors);
}

// 0 leaves the proxy's own default.
void CheckRange(const char* field, uint32_t value, uint32_t min, uint32_t max,
                ResourceErrors* errors) {
  if (value == 0 || (value >= min && value <= max)) return;
  errors->Add(field, fmt::format("{} is out of range; give {} to {}", value, min, max));
}

void CheckLimits(const v1::DownstreamLimits& limits, ResourceErrors* errors) {
  CheckRange("limits.header_bytes", limits.header_bytes(), 256, 1 << 20, errors);
  CheckRange("limits.header_count", limits.header_count(), 1, 10'000, errors);
  CheckRange("limits.target_bytes", limits.target_bytes(), 16, 1 << 20, errors);
  CheckRange("limits.connections", limits.connections(), 1, 10'000'000, errors);
  if (limits.header_bytes() != 0 && limits.target_bytes() > limits.header_bytes()) {
    errors->Add("limits.target_bytes",
                fmt::format("{} is more than header_bytes ({}), which includes the target",
                            limits.target_bytes(), limits.header_bytes()));
  }
}

void CheckBlocks(const std::string& field,
                 const google::protobuf::RepeatedPtrField<std::string>& blocks,
                 ResourceErrors* errors) {
  for (int i = 0; i < blocks.size(); ++i) {
    const auto block = base::Cidr::Parse(blocks[i]);
    if (block.ok()) continue;
    errors->Add(fmt::format("{}[{}]", field, i), std::string(block.status().message()));
  }
}

}  // namespace

void CheckListener(const v1::Listener& listener, const Known& known, ResourceErrors errors) {
  AddProblem("name", NameProblem(listener.name()), &errors);
  AddProblem("address", AddressProblem(listener.address()), &errors);
  if (!v1::ListenerProtocol_IsValid(listener.protocol())) {
    errors.Add("protocol", "the protocol is not known here; use http or tcp");
  }
  CheckTls(listener.tls(), known, &errors);
  CheckBlocks("trusted_proxies", listener.trusted_proxies(), &errors);
  if (listener.has_proxy_protocol()) {
    CheckBlocks("proxy_protocol.trusted", listener.proxy_protocol().trusted(), &errors);
    if (listener.proxy_protocol().trusted().empty()) {
      errors.Add("proxy_protocol.trusted",
                 "nobody may send the header; give the addresses of the load balancers, or remove "
                 "proxy_protocol");
    }
  }
  CheckTimeouts(listener.timeouts(), &errors);
  CheckLimits(listener.limits(), &errors);
  for (int i = 0; i < listener.placement_size(); ++i) {
    AddProblem(fmt::format("placement[{}]", i), LabelProblem(listener.placement(i)), &errors);
  }
}

}  // namespace sluice::config
