#include "dataplane/http/field_id.h"

#include <gtest/gtest.h>

#include <cctype>
#include <string>

namespace sluice::http {
namespace {

struct Known {
  const char* name;
  FieldId id;
};

constexpr Known kKnown[] = {
    {"Host", FieldId::kHost},
    {"Connection", FieldId::kConnection},
    {"Content-Length", FieldId::kContentLength},
    {"Content-Type", FieldId::kContentType},
    {"Transfer-Encoding", FieldId::kTransferEncoding},
    {"Keep-Alive", FieldId::kKeepAlive},
    {"Proxy-Connection", FieldId::kProxyConnection},
    {"TE", FieldId::kTe},
    {"Trailer", FieldId::kTrailer},
    {"Upgrade", FieldId::kUpgrade},
    {"Expect", FieldId::kExpect},
    {"HTTP2-Settings", FieldId::kHttp2Settings},
    {"Proxy-Authenticate", FieldId::kProxyAuthenticate},
    {"Proxy-Authorization", FieldId::kProxyAuthorization},
    {"Forwarded", FieldId::kForwarded},
    {"X-Forwarded-For", FieldId::kXForwardedFor},
    {"X-Forwarded-Proto", FieldId::kXForwardedProto},
    {"X-Forwarded-Host", FieldId::kXForwardedHost},
    {"X-Forwarded-Prefix", FieldId::kXForwardedPrefix},
    {"X-Forwarded-Client-Cert", FieldId::kXForwardedClientCert},
    {"X-Request-ID", FieldId::kXRequestId},
    {"traceparent", FieldId::kTraceparent},
    {"tracestate", FieldId::kTracestate},
    {"Accept", FieldId::kAccept},
    {"User-Agent", FieldId::kUserAgent},
    {"Referer", FieldId::kReferer},
    {"Cookie", FieldId::kCookie},
    {"Date", FieldId::kDate},
    {"Server", FieldId::kServer},
    {"Early-Data", FieldId::kEarlyData},
    {"X-Sluice-Cluster", FieldId::kXSluice},
};

std::string Mapped(std::string_view name, char (*map)(char)) {
  std::string mapped(name);
  for (char& c : mapped) c = map(c);
  return mapped;
}

TEST(FieldIdTest, KnowsNamesInAnyCase) {
  for (const Known& known : kKnown) {
    EXPECT_EQ(IdentifyField(known.name), known.id) << known.name;
    const std::string lower =
        Mapped(known.name, [](char c) { return static_cast<char>(std::tolower(c)); });
    const std::string upper =
        Mapped(known.name, [](char c) { return static_cast<char>(std::toupper(c)); });
    EXPECT_EQ(IdentifyField(lower), known.id) << lower;
    EXPECT_EQ(IdentifyField(upper), known.id) << upper;
  }
}

TEST(FieldIdTest, TheSlightestDifferenceIsAnotherField) {
  for (const Known& known : kKnown) {
    if (known.id == FieldId::kXSluice) continue;
    const std::string_view name = known.name;
    EXPECT_EQ(IdentifyField(name.substr(1)), FieldId::kOther) << name;
    EXPECT_EQ(IdentifyField(name.substr(0, name.size() - 1)), FieldId::kOther) << name;
    EXPECT_EQ(IdentifyField(std::string(name) + "s"), FieldId::kOther) << name;
    for (size_t i = 0; i < name.size(); ++i) {
      std::string changed(name);
      changed[i] = changed[i] == '~' ? '!' : '~';
      EXPECT_EQ(IdentifyField(changed), FieldId::kOther) << changed;
    }
  }
  for (const char* name : {"X", "Accept-Encoding", "Sec-Fetch-Mode", "X-Sluice-", "X-SluiceA"}) {
    EXPECT_EQ(IdentifyField(name), FieldId::kOther) << name;
  }
}

TEST(FieldIdTest, AnUnderscoreMakesNoKnownField) {
  for (const Known& known : kKnown) {
    const std::string_view name = known.name;
    if (name.find('-') == std::string_view::npos || known.id == FieldId::kXSluice) continue;
    const std::string all = Mapped(name, [](char c) { return c == '-' ? '_' : c; });
    EXPECT_EQ(IdentifyField(all), FieldId::kUnderscore) << all;
    std::string last(name);
    last[last.rfind('-')] = '_';
    EXPECT_EQ(IdentifyField(last), FieldId::kUnderscore) << last;
  }
  EXPECT_EQ(IdentifyField("X_Other_Thing"), FieldId::kOther);
  EXPECT_EQ(IdentifyField("Ho_t"), FieldId::kOther);
  // Ours alone, however it is written.
  EXPECT_EQ(IdentifyField("x_sluice_cluster"), FieldId::kXSluice);
  EXPECT_EQ(IdentifyField("X-Sluice_Cluster"), FieldId::kXSluice);
}

}  // namespace
}  // namespace sluice::http
