#include "dataplane/http/trailer_fields.h"

#include <gtest/gtest.h>

#include "dataplane/http/field_id.h"

namespace sluice::http {
namespace {

bool May(std::string_view name) { return MayBeTrailer({name, "x", IdentifyField(name)}); }

TEST(TrailerFieldsTest, WhatIsKnownOnlyAfterTheContentMayFollowIt) {
  for (const char* name : {"grpc-status", "Grpc-Message", "ETag", "Server-Timing", "X-Checksum",
                           "Content-Digest", "Content-MD5", "Digest", "Date", "X"}) {
    EXPECT_TRUE(May(name)) << name;
  }
}

TEST(TrailerFieldsTest, WhatMustBeKnownBeforeMayNot) {
  for (const char* name : {"Content-Length",
                           "Transfer-Encoding",
                           "Host",
                           "Connection",
                           "TE",
                           "Trailer",
                           "Upgrade",
                           "Content-Type",
                           "Content-Encoding",
                           "Content-Range",
                           "content-x",
                           "Authorization",
                           "Proxy-Authorization",
                           "Proxy-X",
                           "WWW-Authenticate",
                           "Cookie",
                           "Set-Cookie",
                           "Expect",
                           "If-Match",
                           "Range",
                           "Cache-Control",
                           "Location",
                           "Vary",
                           "X-Forwarded-For",
                           "X-Forwarded-Port",
                           "Forwarded",
                           "X-Real-IP",
                           "X-Request-ID",
                           "traceparent",
                           "X-Sluice-Cluster",
                           "Sec-WebSocket-Accept",
                           "Access-Control-Allow-Origin",
                           "Strict-Transport-Security"}) {
    EXPECT_FALSE(May(name)) << name;
  }
}

TEST(TrailerFieldsTest, AnUnderscoreIsNoWayAround) {
  for (const char* name : {"Content_Length", "Content_Type", "Set_Cookie", "X_Forwarded_For",
                           "X_Forwarded_Port", "If_Match", "x_sluice_cluster"}) {
    EXPECT_FALSE(May(name)) << name;
  }
}

}  // namespace
}  // namespace sluice::http
