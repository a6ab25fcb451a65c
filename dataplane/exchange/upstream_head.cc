#include "dataplane/exchange/upstream_head.h"

#include <cstring>

#include "common/base/check.h"
#include "dataplane/http/char_class.h"
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

bool IsGrpcTimeout(const http::Field& field) {
  return field.id == FieldId::kOther && http::EqualsLower(field.name, "grpc-timeout");
}

std::string_view FirstValue(const http::RequestHead& head, FieldId id) {
  for (const http::Field& field : head.fields) {
    if (field.id == id) return field.value;
  }
  return {};
}

// Where fields go: into the text of HTTP/1.1.
class TextSink {
 public:
  explicit TextSink(HeadWriter& writer) : writer_(writer) {}
  void Field(std::string_view name, std::string_view value) { writer_.Field(name, value); }
  // A field of several parts.
  void Begin(std::string_view name) {
    writer_.Append(name);
    writer_.Append(": ");
  }
  void Part(std::string_view part) { writer_.Append(part); }
  void Number(uint64_t number) { writer_.Number(number); }
  void End() { writer_.Append("\r\n"); }

 private:
  HeadWriter& writer_;
};

// Or into a list, whose composed values are in `text`.
class ListSink {
 public:
  ListSink(HeadWriter& text, std::vector<http::Field>& fields) : text_(text), fields_(fields) {}
  void Field(std::string_view name, std::string_view value) { fields_.push_back({name, value}); }
  void Begin(std::string_view name) {
    name_ = name;
    begin_ = text_.size();
  }
  void Part(std::string_view part) { text_.Append(part); }
  void Number(uint64_t number) { text_.Number(number); }
  void End() { Field(name_, text_.view().substr(begin_)); }

 private:
  HeadWriter& text_;
  std::vector<http::Field>& fields_;
  std::string_view name_;
  size_t begin_ = 0;
};

template <typename Sink>
void AddForwardedFor(const UpstreamHead& head, Sink& sink) {
  sink.Begin("X-Forwarded-For");
  if (head.peer_trusted) {
    for (const http::Field& field : head.request.head->fields) {
      if (field.id != FieldId::kXForwardedFor || field.value.empty()) continue;
      sink.Part(field.value);
      sink.Part(", ");
    }
  }
  sink.Part(head.request.peer_ip);
  sink.End();
}

// One element for each hop that has shown a certificate, as far as trusted peers tell, ours last.
template <typename Sink>
void AddClientCertificate(const UpstreamHead& head, Sink& sink) {
  bool begun = false;
  const auto add = [&begun, &sink](std::string_view value) {
    if (begun) {
      sink.Part(",");
    } else {
      sink.Begin("X-Forwarded-Client-Cert");
    }
    sink.Part(value);
    begun = true;
  };
  if (head.peer_trusted) {
    for (const http::Field& field : head.request.head->fields) {
      if (field.id == FieldId::kXForwardedClientCert && !field.value.empty()) add(field.value);
    }
  }
  if (head.request.identity != nullptr) add(head.request.identity->forwarded);
  if (begun) sink.End();
}

// A field of a trusted peer is kept; anybody else's is replaced by what we know.
template <typename Sink>
void AddForwarded(std::string_view name, FieldId id, std::string_view known,
                  const UpstreamHead& head, Sink& sink) {
  std::string_view value = known;
  if (head.peer_trusted) {
    const std::string_view received = FirstValue(*head.request.head, id);
    if (!received.empty()) value = received;
  }
  if (!value.empty()) sink.Field(name, value);
}

template <typename Sink>
void AddLength(const http::RequestHead& head, Sink& sink) {
  const bool empty = head.framing == http::Framing::kNone && head.has_content_length;
  if (!empty && head.framing != http::Framing::kLength) return;
  sink.Begin("Content-Length");
  sink.Number(empty ? 0 : head.content_length);
  sink.End();
}

// What every version has.
template <typename Sink>
void AddFields(const UpstreamHead& head, Sink& sink) {
  const http::RequestHead& received = *head.request.head;
  for (const http::Field& field : received.fields) {
    if (IsOurs(field.id, head) || !http::IsForwardable(received, field)) continue;
    if (!head.grpc_timeout.empty() && IsGrpcTimeout(field)) continue;
    const bool typed = field.id == FieldId::kContentType && !head.content_type.empty();
    sink.Field(field.name, typed ? head.content_type : field.value);
  }
  if (!head.grpc_timeout.empty()) sink.Field("grpc-timeout", head.grpc_timeout);
  sink.Field("X-Request-ID", head.request_id);
  AddForwardedFor(head, sink);
  AddForwarded("X-Forwarded-Proto", FieldId::kXForwardedProto, head.request.scheme, head, sink);
  AddForwarded("X-Forwarded-Host", FieldId::kXForwardedHost, head.request.authority, head, sink);
  AddForwarded("X-Forwarded-Prefix", FieldId::kXForwardedPrefix, head.removed_prefix, head, sink);
  if (head.peer_trusted || head.request.identity != nullptr) AddClientCertificate(head, sink);
  sink.Field("traceparent", head.traceparent);
  if (head.content_type.empty()) AddLength(received, sink);
}

void WriteUpgrade(const Upgrade& upgrade, HeadWriter& writer) {
  writer.Field("Connection", "Upgrade");
  writer.Field("Upgrade", upgrade.protocol);
  if (upgrade.by_connect && upgrade.is_websocket()) writer.Field("Sec-WebSocket-Key", upgrade.key);
}

// Whether the client takes trailers (RFC 9110 section 10.1.4), without which gRPC servers refuse.
bool TakesTrailers(const http::RequestHead& head) {
  for (const http::Field& field : head.fields) {
    if (field.id == FieldId::kTe && http::ListNames(field.value, "trailers")) return true;
  }
  return false;
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
  TextSink sink(writer);
  AddFields(head, sink);
  if (upgrades) WriteUpgrade(*head.upgrade, writer);
  if (received.framing == http::Framing::kChunked) {
    writer.Append("Transfer-Encoding: chunked\r\n");
  }
  writer.Append("\r\n");
  SLUICE_CHECK(!writer.overflow());
  out->Filled(writer.size());
}

void ListUpstreamFields(const UpstreamHead& head, io::Buffer* text,
                        std::vector<http::Field>* fields) {
  fields->clear();
  text->Clear();
  text->Reserve(BytesBound(head));
  HeadWriter writer(text->tail(), text->room());
  ListSink sink(writer, *fields);
  AddFields(head, sink);
  // gRPC-Web cannot say so, and needs none itself.
  if (!head.content_type.empty() || TakesTrailers(*head.request.head)) sink.Field("te", "trailers");
  SLUICE_CHECK(!writer.overflow());
}

}  // namespace sluice::exchange
