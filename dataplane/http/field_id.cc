#include "dataplane/http/field_id.h"

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
    {"x-request-id", FieldId::kXRequestId},
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
};

constexpr size_t kLengthMax = 19;

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

// Upstreams of the CGI kind turn "-" into "_": Content_Length would become Content-Length.
bool ShadowsKnown(std::string_view name) {
  if (name.find('_') == std::string_view::npos || name.size() > kLengthMax) return false;
  char dashed[kLengthMax];
  for (size_t i = 0; i < name.size(); ++i) dashed[i] = name[i] == '_' ? '-' : name[i];
  return IdentifyField({dashed, name.size()}) != FieldId::kOther;
}

}  // namespace

FieldId IdentifyField(std::string_view name) {
  if (name.size() <= kLengthMax) {
    const Run run = kRuns[name.size()];
    const char first = ToLower(name[0]);
    for (size_t i = run.begin; i < run.end; ++i) {
      if (kKnown[i].lower[0] == first && EqualsLower(name, kKnown[i].lower)) return kKnown[i].id;
    }
  }
  if (name.size() > 9 && EqualsLower(name.substr(0, 9), "x-sluice-")) return FieldId::kXSluice;
  return ShadowsKnown(name) ? FieldId::kUnderscore : FieldId::kOther;
}

}  // namespace sluice::http
