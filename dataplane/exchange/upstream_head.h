// The request head as it goes upstream: target rewritten, hop-by-hop fields left out (RFC 9110
// section 7.6.1), the proxy's own fields put in, framing stated afresh.
//
// Hot path: one pass over the fields into one buffer.
#pragma once

#include <string_view>
#include <vector>

#include "dataplane/exchange/client_address.h"
#include "dataplane/exchange/incoming_request.h"
#include "dataplane/exchange/upgrade.h"
#include "dataplane/io/buffer.h"

namespace sluice::exchange {

struct UpstreamHead {
  const IncomingRequest& request;
  std::string_view path;            // As sent: normalised, prefix stripped; or "*".
  std::string_view removed_prefix;  // For X-Forwarded-Prefix; empty: none.
  std::string_view host;
  std::string_view request_id;
  std::string_view traceparent;
  bool trace_continued;              // tracestate is passed on.
  bool peer_trusted;                 // Its X-Forwarded-* are believed and extended.
  const Upgrade* upgrade = nullptr;  // Null or empty: none.
  // Of gRPC-Web that goes on as gRPC: its length changes, too. Empty: as received.
  std::string_view content_type;
  std::string_view grpc_timeout;  // Of gRPC: what is left. Empty: none.
};

// As HTTP/1.1 has it. Replaces the content of `out`.
void WriteUpstreamHead(const UpstreamHead& head, io::Buffer* out);
// What HTTP/2 has beside the pseudo-header fields, without what only HTTP/1.1 knows. Views of the
// request, of `head`, and of `text`, whose content is replaced.
void ListUpstreamFields(const UpstreamHead& head, io::Buffer* text,
                        std::vector<http::Field>* fields);

}  // namespace sluice::exchange
