// Checks of single values that several resources share. Each returns what is wrong as a plain
// sentence with the remedy, or an empty string.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::config {

// Of services, routes and clusters: they become labels of metrics and parts of commands.
std::string NameProblem(std::string_view name);

// A node's label, "key=value". The key has no '=', the whole no space and no comma.
std::string LabelProblem(std::string_view label);

// A DNS name in lower case or upper case, without port.
std::string HostNameProblem(std::string_view name);

// What a route may have as `host`: lower case; exact name, IPv4, [IPv6], "*.suffix", "*" or empty.
std::string HostPatternProblem(std::string_view pattern);

// What may stand in a Host field: a name or address, with port or without.
std::string AuthorityProblem(std::string_view authority);

// A server name for TLS (RFC 6066 section 3): a DNS name, no address.
std::string SniProblem(std::string_view sni);

// ip:port with a port that can be connected to or listened on.
std::string AddressProblem(std::string_view address);

// A path in normal form (route/path.h) without parameters.
std::string PathPatternProblem(std::string_view path, bool keep_encoded_slashes);

// A request target to ask for: "/" and printable characters.
std::string TargetProblem(std::string_view target);
// A gRPC service's full name, or nothing.
std::string GrpcServiceProblem(std::string_view service);

// A protocol for Upgrade: lower case, with a version or without; not HTTP itself, which would get
// requests past the routes.
std::string UpgradeProblem(std::string_view protocol);

// What a route retries on: a word, or a final status.
std::string RetryConditionProblem(std::string_view condition);

// The value of a header field (RFC 9110 section 5.5).
std::string FieldValueProblem(std::string_view value);

// RFC 9110 section 5.6.2.
bool IsToken(std::string_view text);

// Milliseconds up to a day. 0 passes; whether it means anything is the field's business.
std::string DurationProblem(uint32_t milliseconds);

}  // namespace sluice::config
