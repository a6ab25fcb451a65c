#include "tools/sluicectl/certificate_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/sluicectl/format.h"

namespace sluice::sluicectl {
namespace {

constexpr int64_t kExpiryNoticeSeconds = 30 * 24 * 3600;
constexpr int64_t kExpiryUrgentSeconds = 7 * 24 * 3600;

Cell ExpiryCell(int64_t not_after_unix, int64_t now_unix_ms) {
  if (not_after_unix == 0) return {""};
  const int64_t left = not_after_unix - now_unix_ms / 1000;
  if (left <= 0) return {fmt::format("expired {} ago", FormatAge(-left)), Style::kRed};
  Style style = Style::kPlain;
  if (left < kExpiryNoticeSeconds) style = Style::kYellow;
  if (left < kExpiryUrgentSeconds) style = Style::kRed;
  return {fmt::format("in {}", FormatAge(left)), style};
}

}  // namespace

std::vector<std::string> UsesOf(const ConfigView& config, const std::string& certificate) {
  std::vector<std::string> uses;
  for (const v1::Listener& listener : config.listeners) {
    const auto& named = listener.tls().certificates();
    if (std::find(named.begin(), named.end(), certificate) == named.end()) continue;
    uses.push_back("service " + listener.name());
  }
  for (const v1::Cluster& cluster : config.clusters) {
    if (cluster.tls().client_certificate() != certificate) continue;
    uses.push_back("upstream " + cluster.name());
  }
  return uses;
}

Text CertificatesText(const ConfigView& config, int64_t now_unix_ms, bool wide) {
  if (config.certificates.empty()) return Text().Line("No certificates.");
  Table table({"NAME", "DNS-NAMES", "ISSUER", "EXPIRES", "USED-BY", "KEY", "SUBJECT", "NOT-BEFORE",
               "NOT-AFTER", "SHA256"},
              {.wide = wide, .wide_from = 5});
  for (const v1::CertificateInfo& certificate : config.certificates) {
    table.AddRow({certificate.name(), fmt::format("{}", fmt::join(certificate.dns_names(), ",")),
                  certificate.issuer() == certificate.subject() ? "itself" : certificate.issuer(),
                  ExpiryCell(certificate.not_after_unix(), now_unix_ms),
                  fmt::format("{}", fmt::join(UsesOf(config, certificate.name()), ", ")),
                  certificate.key_type(), certificate.subject(),
                  FormatTime(certificate.not_before_unix()),
                  FormatTime(certificate.not_after_unix()), certificate.sha256()});
  }
  return table.ToText();
}

Json CertificatesJson(const ConfigView& config) {
  Json array = Json::array();
  for (const v1::CertificateInfo& certificate : config.certificates) {
    Json object = ToJson(certificate);
    object["used_by"] = UsesOf(config, certificate.name());
    array.push_back(std::move(object));
  }
  return array;
}

}  // namespace sluice::sluicectl
