#include "dataplane/exchange/upstream_head.h"

#include <cstring>

#include "common/base/check.h"
#include "dataplane/http/h1_serializer.h"
#include "dataplane/http/hop_by_hop.h"

namespace sluice::exchange {
namespace {

using http::FieldId;
using http::HeadWriter;

// Fields that are written by this file and never copied.
bool IsOurs(FieldId id, const UpstreamHead& head) {
  switch (id) {
    case FieldId::kHost:
    case FieldId::kContentLength:
    case FieldId::kTransferEncoding:
    case FieldId::kXForwardedFor:
    case FieldId::kXForwardedProto:
    case FieldId::kXForwardedHost:
    case FieldId::kXForwardedPrefix:
    case FieldId::kXForwardedClientCert:
    case FieldId::kXRequestId:
    case FieldId::kTraceparent:
    case FieldId::kXSluice:
    case FieldId::kEarlyData:   // There is no early data here (RFC 8470 section 5.1).
    case FieldId::kUnderscore:  // Would shadow a field of ours behind CGI-like upstreams.
      return true;
    case FieldId::kForwarded:
      return !head.peer_trusted;
    case FieldId::kTracestate:
      return !head.trace_continued;
    default:
      return false;
  }
}

std::string_view FirstValue(const http::RequestHead& head, FieldId id) {
  for (const http::Field& field : head.fields) {
    if (field.id == id) return field.value;
  }
  return {};
}

void WriteForwardedFor(const UpstreamHead& head, HeadWriter& writer) {
  writer.Append("X-Forwarded-For: ");
  if (head.peer_trusted) {
    for (const http::Field& field : head.request.head->fields) {
      if (field.id != FieldId::kXForwardedFor || field.value.empty()) continue;
      writer.Append(field.value);
      writer.Append(", ");
    }
  }
  writer.Append(head.request.peer_ip);
  writer.Append("\r\n");
}

// One element for each hop that has shown a certificate, as far as trusted peers tell, ours last.
void WriteClientCertificate(const UpstreamHead& head, HeadWriter& writer) {
  std::string_view before = "X-Forwarded-Client-Cert: ";
  const auto add = [&before, &writer](std::string_view value) {
    writer.Append(before);
    writer.Append(value);
    before = ",";
  };
  if (head.peer_trusted) {
    for (const http::Field& field : head.request.head->fields) {
      if (field.id == FieldId::kXForwardedClientCert && !field.value.empty()) add(field.value);
    }
  }
  if (head.request.identity != nullptr) add(head.request.identity->forwarded);
  if (before == ",") writer.Append("\r\n");
}

// A field of a trusted peer is kept; anybody else's is replaced by what we know.
void WriteForwarded(std::string_view name, FieldId id, std::string_view known,
                    const UpstreamHead& head, HeadWriter& writer) {
  std::string_view value = known;
  if (head.peer_trusted) {
    const std::string_view received = FirstValue(*head.request.head, id);
    if (!received.empty()) value = received;
  }
  if (!value.empty()) writer.Field(name, value);
}

void WriteFraming(const http::RequestHead& head, HeadWriter& writer) {
  switch (head.framing) {
    case http::Framing::kChunked:
      writer.Append("Transfer-Encoding: chunked\r\n");
      break;
    case http::Framing::kLength:
      writer.Append("Content-Length: ");
      writer.Number(head.content_length);
      writer.Append("\r\n");
      break;
    case http::Framing::kNone:
      if (head.has_content_length) writer.Append("Content-Length: 0\r\n");
      break;
    case http::Framing::kUntilClose:
      break;
  }
}

void WriteUpgrade(const Upgrade& upgrade, HeadWriter& writer) {
  writer.Field("Connection", "Upgrade");
  writer.Field("Upgrade", upgrade.protocol);
  if (upgrade.by_connect && upgrade.is_websocket()) writer.Field("Sec-WebSocket-Key", upgrade.key);
}

size_t BytesBound(const UpstreamHead& head) {
  size_t bytes = 1024 + head.path.size() + head.request.query.size() + head.removed_prefix.size() +
                 2 * head.host.size() + 2 * head.request.authority.size() + head.request_id.size();
  if (head.upgrade != nullptr) bytes += head.upgrade->protocol.size();
  if (head.request.identity != nullptr) bytes += head.request.identity->forwarded.size();
  for (const http::Field& field : head.request.head->fields) {
    bytes += field.name.size() + field.value.size() + 4;
  }
  return bytes;
}

}  // namespace

void WriteUpstreamHead(const UpstreamHead& head, io::Buffer* out) {
  const http::RequestHead& received = *head.request.head;
  out->Clear();
  out->Reserve(BytesBound(head));
  HeadWriter writer(out->tail(), out->room());
  const bool upgrades = head.upgrade != nullptr && *head.upgrade;
  writer.Append(upgrades && head.upgrade->by_connect ? "GET" : received.method_text);
  writer.Append(" ");
  writer.Append(head.path);
  writer.Append(head.request.query);
  writer.Append(" HTTP/1.1\r\n");
  writer.Field("Host", head.host);
  for (const http::Field& field : received.fields) {
    if (IsOurs(field.id, head) || !http::IsForwardable(received, field)) continue;
    writer.Field(field.name, field.value);
  }
  writer.Field("X-Request-ID", head.request_id);
  WriteForwardedFor(head, writer);
  WriteForwarded("X-Forwarded-Proto", FieldId::kXForwardedProto, head.request.scheme, head, writer);
  WriteForwarded("X-Forwarded-Host", FieldId::kXForwardedHost, head.request.authority, head,
                 writer);
  WriteForwarded("X-Forwarded-Prefix", FieldId::kXForwardedPrefix, head.removed_prefix, head,
                 writer);
  if (head.peer_trusted || head.request.identity != nullptr) WriteClientCertificate(head, writer);
  writer.Field("traceparent", head.traceparent);
  if (upgrades) WriteUpgrade(*head.upgrade, writer);
  WriteFraming(received, writer);
  writer.Append("\r\n");
  SLUICE_CHECK(!writer.overflow());
  out->Filled(writer.size());
}

}  // namespace sluice::exchange
