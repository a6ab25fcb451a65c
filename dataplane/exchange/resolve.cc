// Deciding what a request is: who sent it, which path it means, which route it takes.
#include "common/base/address.h"
#include "common/route/path.h"
#include "common/route/route_table.h"
#include "dataplane/exchange/exchange.h"
#include "dataplane/http/char_class.h"
#include "dataplane/preflight/shadow.h"

namespace sluice::exchange {

using http::Failure;
using http::FieldId;

Failure Exchange::Resolve() {
  slot_ = service().no_route_slot;
  IdentifyRequest();
  host_ = route::HostOf(request_.authority, &memory_.host);
  if (request_.head->method == http::Method::kConnect && request_.connect_protocol.empty())
    return Failure::kMethodNotAllowed;
  bool encoded_slash = false;
  if (request_.path == "*") {
    path_ = request_.path;  // OPTIONS *: about the server; only routes without a path match.
  } else {
    const route::NormalizedPath normalized =
        route::NormalizePath(request_.path, &memory_.path, &path_);
    if (normalized.error != route::PathError::kNone) {
      path_ = request_.path;
      return Failure::kBadPath;
    }
    encoded_slash = normalized.has_encoded_slash;
  }
  const int index = service().routes.Find({.host = host_, .path = path_});
  if (index != route::RouteTable::kNone) {
    route_ = &service().route_list[static_cast<size_t>(index)];
  }
  if (context_.shadow != nullptr) [[unlikely]]
    LookAhead(encoded_slash);
  if (route_ == nullptr) return IsMisdirected() ? Failure::kMisdirected : Failure::kNoRoute;
  slot_ = route_->answer != nullptr ? route_->local_slot : route_->choices.front().slot;
  if (encoded_slash && !route_->keep_encoded_slashes) return Failure::kBadPath;
  return Failure::kNone;
}

void Exchange::LookAhead(bool encoded_slash) {
  if (!context_.shadow->Wants(context_.random)) return;
  context_.shadow->Look({.config = &runtime_.config(), .service = &service(), .route = route_},
                        {.method = request_.head->method_text,
                         .host = host_,
                         .path = path_,
                         .encoded_slash = encoded_slash});
}

// Whether the connection was made for another host than the one that nothing here is known of: a
// connection of its own may lead the client to where it is served (RFC 9110 section 15.5.20).
// Clients name no address in TLS (RFC 6066 section 3).
bool Exchange::IsMisdirected() const {
  const bool address = host_.starts_with('[') || base::IsIpAddress(host_);
  return request_.scheme == "https" && !host_.empty() && !address &&
         !http::EqualsIgnoreCase(host_, request_.server_name) && !service().routes.KnowsHost(host_);
}

void Exchange::IdentifyRequest() {
  client_ =
      FindClientAddress(request_.peer_ip, request_.peer, *request_.head, service().trusted_proxies);
  std::string_view traceparent;
  std::string_view received_id;
  for (const http::Field& field : request_.head->fields) {
    if (field.id == FieldId::kTraceparent) traceparent = field.value;
    if (field.id == FieldId::kXRequestId) received_id = field.value;
  }
  grpc_.Identify(*request_.head);
  if (client_.peer_trusted && IsSafeRequestId(received_id)) {
    request_id_ = received_id;
  } else {
    WriteUuidV7(context_.reactor.unix_micros(), context_.random, request_id_made_);
    request_id_ = {request_id_made_, kUuidChars};
  }
  trace_continued_ = WriteTraceparent(traceparent, context_.random, traceparent_);
}

}  // namespace sluice::exchange
