// Heads of HTTP messages, whatever the protocol version: plain values and views.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace sluice::http {

enum class Method : uint8_t {
  kGet,
  kHead,
  kPost,
  kPut,
  kDelete,
  kOptions,
  kPatch,
  kConnect,
  kTrace,
  kOther
};

// Fields the proxy itself looks at; everything else is kOther. The parser sets them, so that the
// request path compares integers and never names.
enum class FieldId : uint8_t {
  kOther,
  kHost,
  kConnection,
  kContentLength,
  kContentType,
  kTransferEncoding,
  kKeepAlive,
  kProxyConnection,
  kTe,
  kTrailer,
  kUpgrade,
  kExpect,
  kHttp2Settings,
  kProxyAuthenticate,
  kProxyAuthorization,
  kForwarded,
  kXForwardedFor,
  kXForwardedProto,
  kXForwardedHost,
  kXForwardedPrefix,
  kXForwardedClientCert,
  kXRequestId,
  kTraceparent,
  kTracestate,
  kAccept,
  kUserAgent,
  kReferer,
  kCookie,
  kDate,
  kServer,
  kEarlyData,
  kAuthorization,
  kUnderscore,  // A known name with "_" for "-": must not pass for it anywhere.
  kXSluice,     // Any name beginning with "x-sluice-": ours alone, stripped at the edge.
};

struct Field {
  std::string_view name;   // As received.
  std::string_view value;  // Without surrounding whitespace.
  FieldId id = FieldId::kOther;
};

enum class Framing : uint8_t {
  kNone,        // No body.
  kLength,      // content_length bytes follow.
  kChunked,     // RFC 9112 section 7.1.
  kUntilClose,  // Responses only.
};

// Views point into the connection's buffer and die with it.
struct RequestHead {
  std::string_view method_text;
  std::string_view target;    // As received; see target.h for its parts.
  std::vector<Field> fields;  // In order; capacity is kept between requests.
  uint64_t content_length = 0;
  Method method = Method::kOther;
  Framing framing = Framing::kNone;
  uint8_t minor_version = 1;             // HTTP/1.x
  bool has_content_length = false;       // Content-Length: 0 has no body, but is passed on.
  bool keep_alive = true;                // By version and Connection.
  bool expect_continue = false;          // Expect: 100-continue (RFC 9110 section 10.1.1).
  bool has_upgrade = false;              // Upgrade present and named by Connection.
  bool connection_names_fields = false;  // Connection lists more than close/keep-alive/upgrade.
  std::string_view host;  // Value of the Host field (exactly one, checked); empty if none.
};

struct ResponseHead {
  std::string_view reason;
  std::vector<Field> fields;
  uint64_t content_length = 0;
  uint16_t status = 0;
  Framing framing =
      Framing::kNone;  // By status, fields and the request's method (RFC 9112 section 6.3).
  uint8_t minor_version = 1;
  bool keep_alive = true;
  bool connection_names_fields = false;
  // Keep-Alive: timeout=N, max=M as hinted by the peer; 0: not given.
  uint32_t keep_alive_timeout_seconds = 0;
};

}  // namespace sluice::http
