#include "dataplane/http/field_id.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "dataplane/http/char_class.h"

namespace sluice::http {
namespace {

struct KnownField {
  std::string_view lower;
  FieldId id;
};

constexpr KnownField kKnown[] = {
    {"te", FieldId::kTe},
    {"host", FieldId::kHost},
    {"date", FieldId::kDate},
    {"accept", FieldId::kAccept},
    {"cookie", FieldId::kCookie},
    {"expect", FieldId::kExpect},
    {"server", FieldId::kServer},
    {"referer", FieldId::kReferer},
    {"trailer", FieldId::kTrailer},
    {"upgrade", FieldId::kUpgrade},
    {"forwarded", FieldId::kForwarded},
    {"connection", FieldId::kConnection},
    {"early-data", FieldId::kEarlyData},
    {"keep-alive", FieldId::kKeepAlive},
    {"tracestate", FieldId::kTracestate},
    {"user-agent", FieldId::kUserAgent},
    {"traceparent", FieldId::kTraceparent},
    {"content-type", FieldId::kContentType},
    {"x-request-id", FieldId::kXRequestId},
    {"authorization", FieldId::kAuthorization},
    {"content-length", FieldId::kContentLength},
    {"http2-settings", FieldId::kHttp2Settings},
    {"x-forwarded-for", FieldId::kXForwardedFor},
    {"proxy-connection", FieldId::kProxyConnection},
    {"x-forwarded-host", FieldId::kXForwardedHost},
    {"transfer-encoding", FieldId::kTransferEncoding},
    {"x-forwarded-proto", FieldId::kXForwardedProto},
    {"proxy-authenticate", FieldId::kProxyAuthenticate},
    {"x-forwarded-prefix", FieldId::kXForwardedPrefix},
    {"proxy-authorization", FieldId::kProxyAuthorization},
    {"x-forwarded-client-cert", FieldId::kXForwardedClientCert},
};

constexpr size_t kLengthMax = 23;

// For each length, the run of kKnown that has it: kKnown is sorted by length.
struct Run {
  uint8_t begin = 0, end = 0;
};
constexpr std::array<Run, kLengthMax + 1> kRuns = [] {
  std::array<Run, kLengthMax + 1> runs{};
  for (size_t i = 0; i < std::size(kKnown); ++i) {
    Run& run = runs[kKnown[i].lower.size()];
    if (run.end == 0) run.begin = static_cast<uint8_t>(i);
    run.end = static_cast<uint8_t>(i + 1);
  }
  return runs;
}();
static_assert(std::is_sorted(std::begin(kKnown), std::end(kKnown),
                             [](const KnownField& a, const KnownField& b) {
                               return a.lower.size() < b.lower.size();
                             }));

// Upstreams of the CGI kind read "_" as "-": for them Content_Length is Content-Length.
bool EqualsFolded(std::string_view name, std::string_view lower) {
  for (size_t i = 0; i < lower.size(); ++i) {
    const char c = name[i] == '_' ? '-' : ToLower(name[i]);
    if (c != lower[i]) return false;
  }
  return true;
}

constexpr std::string_view kOurPrefix = "x-sluice-";

}  // namespace

FieldId IdentifyField(std::string_view name) {
  if (name.empty()) return FieldId::kOther;
  const char first = ToLower(name[0]);
  if (name.size() <= kLengthMax) {
    const Run run = kRuns[name.size()];
    for (size_t i = run.begin; i < run.end; ++i) {
      const KnownField& known = kKnown[i];
      if (known.lower[0] != first || !EqualsFolded(name, known.lower)) continue;
      return name.find('_') == std::string_view::npos ? known.id : FieldId::kUnderscore;
    }
  }
  if (first == 'x' && name.size() > kOurPrefix.size() && EqualsFolded(name, kOurPrefix)) {
    return FieldId::kXSluice;
  }
  return FieldId::kOther;
}

}  // namespace sluice::http
