// Secrets that are known by their form, whatever they are called. Line ends stay.
#pragma once

#include <string>
#include <string_view>

namespace sluice::redact {

// Private keys in PEM, sealed bytes, tokens of proxies and operators.
std::string WithoutLongForms(std::string_view text);

// Bearer and Basic credentials, JSON web tokens, user:password@ of addresses.
std::string WithoutCredentialForms(std::string_view text);

}  // namespace sluice::redact
