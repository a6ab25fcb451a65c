#include "common/route/path.h"

#include <gtest/gtest.h>

#include <cctype>
#include <string>
#include <vector>

#include "common/base/random.h"

namespace sluice::route {
namespace {

struct Outcome {
  NormalizedPath result;
  std::string path;
};

Outcome Normalize(std::string_view path) {
  std::string scratch;
  std::string_view out;
  Outcome outcome;
  outcome.result = NormalizePath(path, &scratch, &out);
  outcome.path = out;
  return outcome;
}

std::string Normal(std::string_view path) {
  const Outcome outcome = Normalize(path);
  EXPECT_EQ(outcome.result.error, PathError::kNone)
      << path << ": " << Describe(outcome.result.error);
  return outcome.path;
}

PathError ErrorOf(std::string_view path) {
  const Outcome outcome = Normalize(path);
  if (outcome.result.error != PathError::kNone) {
    EXPECT_EQ(outcome.path, "");
  }
  return outcome.result.error;
}

TEST(PathTest, NormalFormIsReturnedAsAViewWithoutTouchingScratch) {
  for (const std::string path :
       {"/", "/a", "/api/v1/users/123", "/a;x=1/b", "/a.b/c..d/e.", "/a/b/", "/!$&'()*+,;=:@-._~",
        "/a/very/long/path/with/many/segments/that/spans/blocks/x.html", "/{a}|b^\"<c>[d]`"}) {
    std::string scratch = "untouched";
    std::string_view out;
    const NormalizedPath result = NormalizePath(path, &scratch, &out);
    EXPECT_EQ(result.error, PathError::kNone) << path;
    EXPECT_EQ(out.data(), path.data()) << path;
    EXPECT_EQ(out.size(), path.size()) << path;
    EXPECT_EQ(scratch, "untouched") << path;
  }
}

TEST(PathTest, NormalFormWithTripletsIsAViewToo) {
  const std::string path = "/a%20b/%E4%B8%AD/.well-known";
  std::string scratch;
  std::string_view out;
  NormalizePath(path, &scratch, &out);
  EXPECT_EQ(out.data(), path.data());
}

TEST(PathTest, UnreservedTripletsAreDecodedOnce) {
  EXPECT_EQ(Normal("/%61dmin"), "/admin");
  EXPECT_EQ(Normal("/a/%7Euser"), "/a/~user");
  EXPECT_EQ(Normal("/%2d%2E%5f%7e%41%39"), "/-._~A9");
  EXPECT_EQ(Normal("/x/%252e%252e/admin"), "/x/%252e%252e/admin");
  EXPECT_EQ(Normal("/%25%36%31"), "/%2561");
}

TEST(PathTest, OtherTripletsStayWithUpperCaseDigits) {
  EXPECT_EQ(Normal("/a%20b%3f%23%25%3b%c3%a9"), "/a%20b%3F%23%25%3B%C3%A9");
}

TEST(PathTest, SlashesAreMerged) {
  EXPECT_EQ(Normal("//a///b//"), "/a/b/");
  EXPECT_EQ(Normal("////"), "/");
  EXPECT_EQ(Normal("//evil.test/x"), "/evil.test/x");
}

TEST(PathTest, DotSegmentsAreResolvedAfterDecoding) {
  EXPECT_EQ(Normal("/public/../admin"), "/admin");
  EXPECT_EQ(Normal("/public/%2e%2e/admin"), "/admin");
  EXPECT_EQ(Normal("/public/.%2E/admin"), "/admin");
  EXPECT_EQ(Normal("/public///../admin"), "/admin");
  EXPECT_EQ(Normal("/a/./b/."), "/a/b/");
  EXPECT_EQ(Normal("/a/b/.."), "/a/");
  EXPECT_EQ(Normal("/a/.."), "/");
  EXPECT_EQ(Normal("/a/../"), "/");
  EXPECT_EQ(Normal("/."), "/");
  EXPECT_EQ(Normal("/./"), "/");
  EXPECT_EQ(Normal("/a/b/c/../../d"), "/a/d");
  EXPECT_EQ(Normal("/.../..a/.b"), "/.../..a/.b");
  EXPECT_EQ(Normal("//a."), "/a.");
  EXPECT_EQ(Normal("//a"), "/a");
}

TEST(PathTest, ClimbingAboveTheRootIsRefused) {
  for (const char* path : {"/..", "/../a", "/../../etc/passwd", "/a/../..", "/a/../../b", "/%2e%2e",
                           "//..//a", "/./.."}) {
    EXPECT_EQ(ErrorOf(path), PathError::kClimbsAboveRoot) << path;
  }
}

TEST(PathTest, ParametersMayNotHideDotsOrEmptySegments) {
  for (const char* path : {"/a/..;/b", "/a/..;x=1/b", "/a/.;/b", "/..;", "/a/%2e%2e;x", "/a/..%3Bx",
                           "/a/.%3b", "/;", "/;x/admin", "/a//;x"}) {
    EXPECT_EQ(ErrorOf(path), PathError::kDotSegmentWithParameter) << path;
  }
  EXPECT_EQ(Normal("/admin;x=1"), "/admin;x=1");
  EXPECT_EQ(Normal("/a..;x/b"), "/a..;x/b");
  EXPECT_EQ(Normal("/...;x"), "/...;x");
}

TEST(PathTest, BadTripletsAreRefused) {
  for (const char* path :
       {"/%", "/%4", "/%zz", "/%4g", "/a%", "/%%41", "/%u0041", "/% 41", "/%+1"}) {
    EXPECT_EQ(ErrorOf(path), PathError::kBadPercent) << path;
  }
}

TEST(PathTest, ForbiddenBytesAreRefusedRawAndEncoded) {
  for (int byte = 0; byte < 256; ++byte) {
    const bool control = byte < 0x20 || byte == 0x7F;
    const bool refused_raw = control || byte > 0x7E || byte == ' ' || byte == '\\' || byte == '#' ||
                             byte == '?' || byte == '%';
    // At every place of short, one-block and longer paths: the scan must look everywhere.
    for (const size_t length : {2u, 5u, 16u, 17u, 18u, 19u, 33u, 34u, 35u, 50u}) {
      for (size_t at = 1; at < length; ++at) {
        std::string path = "/" + std::string(length - 1, 'a');
        path[at] = static_cast<char>(byte);
        const PathError error = ErrorOf(path);
        if (byte == '%') continue;  // Depends on what follows.
        const bool dots_or_slash = byte == '.' || byte == '/' || byte == ';';
        if (refused_raw) {
          ASSERT_EQ(error, PathError::kForbiddenByte) << byte << " at " << at << " of " << length;
        } else if (!dots_or_slash) {
          ASSERT_EQ(error, PathError::kNone) << byte << " at " << at << " of " << length;
        }
      }
    }
    char encoded[8];
    std::snprintf(encoded, sizeof encoded, "/a%%%02x", static_cast<unsigned>(byte));
    if (control || byte == '\\' || byte >= 0x80) {
      EXPECT_EQ(ErrorOf(encoded), PathError::kForbiddenByte) << encoded;
    } else {
      EXPECT_EQ(ErrorOf(encoded), PathError::kNone) << encoded;
    }
  }
}

TEST(PathTest, EncodedBytesMustBeUtf8) {
  EXPECT_EQ(Normal("/%e4%b8%ad%F0%9F%98%80"), "/%E4%B8%AD%F0%9F%98%80");
  for (const char* path :
       {"/%c0%ae%c0%ae/admin", "/%c0%af", "/%e0%80%af", "/%ff", "/%80", "/%c3", "/%c3a9",
        "/%c3/%a9", "/%ed%a0%80", "/%e4%b8", "/%f5%80%80%80", "/%c3%41"}) {
    EXPECT_EQ(ErrorOf(path), PathError::kForbiddenByte) << path;
  }
}

TEST(PathTest, EncodedSlashIsReportedAndKept) {
  const Outcome kept = Normalize("/keep/a%2fb");
  EXPECT_EQ(kept.result.error, PathError::kNone);
  EXPECT_TRUE(kept.result.has_encoded_slash);
  EXPECT_EQ(kept.path, "/keep/a%2Fb");
  EXPECT_FALSE(Normalize("/keep/a%252Fb").result.has_encoded_slash);
  EXPECT_FALSE(Normalize("/keep/a%20b").result.has_encoded_slash);
}

TEST(PathTest, EncodedSlashBesideDotsIsRefusedForEveryRoute) {
  for (const char* path : {"/public/..%2fadmin", "/a%2f..", "/a/%2e%2e%2Fb", "/a%2F..%2Fb",
                           "/.%2Fa", "/a%2F..;x", "/a%2F..%3Bx"}) {
    EXPECT_EQ(ErrorOf(path), PathError::kEncodedSlash) << path;
  }
  EXPECT_EQ(Normal("/a%2F..b"), "/a%2F..b");
}

TEST(PathTest, WhatIsNoPathIsRefused) {
  for (const char* path : {"", "a", "*", "http://a/", "a/b"}) {
    EXPECT_EQ(ErrorOf(path), PathError::kForbiddenByte) << path;
  }
  EXPECT_EQ(ErrorOf("/a?b"), PathError::kForbiddenByte);
  EXPECT_EQ(ErrorOf("/a#b"), PathError::kForbiddenByte);
}

TEST(PathTest, EveryErrorIsDescribed) {
  for (const PathError error :
       {PathError::kBadPercent, PathError::kForbiddenByte, PathError::kEncodedSlash,
        PathError::kClimbsAboveRoot, PathError::kDotSegmentWithParameter}) {
    EXPECT_FALSE(Describe(error).empty());
  }
  EXPECT_TRUE(Describe(PathError::kNone).empty());
}

// Group `path` of the security catalogue, as far as the path alone decides.
TEST(PathTest, SecurityCatalogue) {
  EXPECT_EQ(Normal("/public/../admin"), "/admin");                       // path-dotdot
  EXPECT_EQ(Normal("/public/%2e%2e/admin"), "/admin");                   // path-pct-dotdot
  EXPECT_EQ(Normal("/public///../admin"), "/admin");                     // path-triple-inner
  EXPECT_EQ(Normal("/%61dmin"), "/admin");                               // path-pct-letter
  EXPECT_EQ(Normal("/admin/"), "/admin/");                               // path-trailing-slash
  EXPECT_EQ(Normal("/admin;x=1"), "/admin;x=1");                         // path-semicolon
  EXPECT_EQ(ErrorOf("/public\\..\\admin"), PathError::kForbiddenByte);   // path-backslash
  EXPECT_EQ(ErrorOf("/public/..%5cadmin"), PathError::kForbiddenByte);   // path-pct-backslash
  EXPECT_EQ(ErrorOf("/public/..%2fadmin"), PathError::kEncodedSlash);    // path-pct-slash
  EXPECT_EQ(ErrorOf("/admin%00.png"), PathError::kForbiddenByte);        // path-pct-nul
  EXPECT_EQ(ErrorOf("/%c0%ae%c0%ae/admin"), PathError::kForbiddenByte);  // path-overlong
  EXPECT_EQ(Normal("/admin%20"), "/admin%20");                           // path-pct-space
  EXPECT_EQ(ErrorOf("/%09/admin"), PathError::kForbiddenByte);           // path-pct-tab
  EXPECT_EQ(Normal("/Admin"), "/Admin");                                 // path-case
  EXPECT_EQ(Normal("/admin."), "/admin.");                               // path-dot-suffix
  EXPECT_EQ(Normal("/x/../admin"), "/admin");                            // path-abs-form-dots
  EXPECT_EQ(ErrorOf("/../../etc/passwd"), PathError::kClimbsAboveRoot);  // path-escape-root
  EXPECT_EQ(Normal("/x/%252e%252e/admin"), "/x/%252e%252e/admin");       // path-double-encoded
  EXPECT_EQ(Normal("/keep/a%2Fb"), "/keep/a%2Fb");                       // path-keep-pct-slash
  EXPECT_EQ(Normal("/a/%7Euser"), "/a/~user");                           // path-same-bytes
  EXPECT_EQ(Normal("/api//evil.test/x"), "/api/evil.test/x");            // strip-double-slash
  EXPECT_EQ(Normal("/redir//evil.test/%2e%2e"), "/redir/");              // redirect-scheme-rel.
  EXPECT_EQ(ErrorOf("/redir%0d%0aSet-Cookie:%20x=1"), PathError::kForbiddenByte);  // redirect-crlf
}

TEST(PathTest, RandomPathsReachAFixedPointThatIsClean) {
  static const std::vector<std::string> kPieces = {
      "/",   "/",   "//",    ".",   "..",     "/../", "/./", ";",  ";x",  "%2e",
      "%2E", "%2f", "%61",   "%25", "%c3%a9", "%41",  "a",   "b",  "..;", "%3b",
      "~",   "%20", "admin", "%",   "%zz",    "\\",   "%5c", "x.", "."};
  base::Random random(20231);
  int accepted = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string path = "/";
    for (uint64_t n = random.Below(9); n > 0; --n) path += kPieces[random.Below(kPieces.size())];
    const Outcome first = Normalize(path);
    if (first.result.error != PathError::kNone) continue;
    ++accepted;
    const Outcome second = Normalize(first.path);
    ASSERT_EQ(second.result.error, PathError::kNone) << path << " -> " << first.path;
    ASSERT_EQ(second.path, first.path) << path;
    ASSERT_EQ(second.result.has_encoded_slash, first.result.has_encoded_slash) << path;
    const std::string bounded = first.path + "/";
    for (const char* never : {"//", "/./", "/../", "/.;", "/..;", "\\", "/;"}) {
      if (std::string_view(never) == "//" && first.path.ends_with('/')) continue;
      ASSERT_EQ(bounded.find(never), std::string::npos) << path << " -> " << first.path;
    }
  }
  EXPECT_GT(accepted, 10'000);
}

}  // namespace
}  // namespace sluice::route
