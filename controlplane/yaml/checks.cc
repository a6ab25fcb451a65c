#include "controlplane/yaml/checks.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/address.h"
#include "common/config/words.h"
#include "controlplane/yaml/problems.h"

namespace sluice::yaml {
namespace {

constexpr size_t kPathBytesMax = 4096;
constexpr size_t kUrlBytesMax = 16 * 1024;

bool HasControls(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7F; });
}

}  // namespace

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string CheckNotEmpty(std::string_view text) {
  return text.empty() ? "the text is empty; remove the key or give it a value" : "";
}

std::string CheckNodeAddress(std::string_view text) {
  const auto address = base::ResolveNumeric(text);
  const auto split = base::ParseHostPort(text);
  if (!address.ok() && split.ok()) {
    return fmt::format(
        "{} is not the address of a node; write its IP address and port, like "
        "10.0.1.1:8080",
        Quoted(text));
  }
  if (address.ok() && address->is_unspecified()) {
    return fmt::format("{} is no address to connect to; give the server's own", Quoted(text));
  }
  return config::AddressProblem(text);
}

std::string CheckCidr(std::string_view text) {
  const auto block = base::Cidr::Parse(text);
  return block.ok() ? std::string() : std::string(block.status().message());
}

std::string CheckHostPattern(std::string_view text) {
  if (text.empty()) return "the host is empty; leave the key out, or write '*' for any host";
  if (text.find("://") != std::string_view::npos) {
    return fmt::format("{} is a URL; write only the host name", Quoted(text));
  }
  if (text.ends_with('.')) return fmt::format("{} ends with a dot; leave it out", Quoted(text));
  if (std::any_of(text.begin(), text.end(),
                  [](char c) { return static_cast<uint8_t>(c) >= 0x80; })) {
    return fmt::format("{} is not ASCII; write international names in their xn-- form",
                       Quoted(text));
  }
  return config::HostPatternProblem(LowerCase(text));
}

std::string CheckPathPrefix(std::string_view text) {
  if (text.size() > kPathBytesMax) return "the path is longer than 4096 bytes";
  // Whether %2F may stand in it depends on another key of the route: see validate.
  return config::PathPatternProblem(text, true);
}

std::string CheckRedirectPath(std::string_view text) {
  if (text.starts_with("//")) return fmt::format("{} must begin with one '/' only", Quoted(text));
  return config::TargetProblem(text);
}

std::string CheckHashOn(std::string_view text) {
  if (text == "client_ip" || text == "path") return {};
  const std::string_view kind = text.substr(0, text.find(':'));
  const std::string_view name = kind.size() < text.size() ? text.substr(kind.size() + 1) : "";
  const bool query_name =
      !name.empty() && name.find_first_of("&=# ") == std::string_view::npos && !HasControls(name);
  if ((kind == "header" || kind == "cookie") && config::IsToken(name)) return {};
  if (kind == "query" && query_name) return {};
  return fmt::format(
      "{} is not supported; use client_ip, path, header:NAME, cookie:NAME or query:NAME",
      Quoted(text));
}

std::string CheckFile(std::string_view text) {
  if (text.empty()) return "the path is empty; give the file's";
  if (text.size() > kPathBytesMax) return "the path is longer than 4096 bytes";
  if (HasControls(text)) return fmt::format("{} has control characters", Quoted(text));
  return {};
}

std::string CheckLogPath(std::string_view text) {
  if (text == "-") return {};
  if (text.starts_with('/') && !text.ends_with('/')) return CheckFile(text);
  return fmt::format("{} must be an absolute file name, or '-' for standard output", Quoted(text));
}

std::string CheckMethod(std::string_view text) {
  if (config::IsToken(text) && text.size() <= 32) return {};
  return fmt::format("{} is not a method; write it like GET", Quoted(text));
}

std::string CheckUrl(std::string_view text) {
  if (text.size() > kUrlBytesMax) return "the URL is longer than 16384 bytes";
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (text.starts_with(scheme) && text.size() > scheme.size() && !HasControls(text)) return {};
  }
  return fmt::format("{} is not a URL; write it like http://www.example.com/path", Quoted(text));
}

}  // namespace sluice::yaml
