// What is kept of an exchange when it is over: counters and one access log line.
#include "dataplane/exchange/exchange.h"

namespace sluice::exchange {

using http::FieldId;

void Exchange::Account() {
  const int64_t duration = context_.reactor.now_micros() - request_.started_micros;
  observe::WorkerStats& stats = context_.stats;
  stats.requests_total.Add();
  observe::RouteStats& route_stats = stats.Route(slot_);
  if (status_ >= 100 && status_ <= 599) {
    route_stats.requests[static_cast<size_t>(request_.head->method)][status_ / 100u - 1].Add();
  }
  route_stats.duration.Observe(static_cast<uint64_t>(duration > 0 ? duration : 0));
  if (request_body_bytes_ > 0) route_stats.request_body_bytes.Add(request_body_bytes_);
  route_stats.response_body_bytes.Add(response_body_bytes_);
  if (failure_ != http::Failure::kNone) {
    stats.Listener(service().slot).failures[static_cast<size_t>(failure_)].Add();
  }
  if (!context_.access_log.enabled()) return;

  observe::AccessRecord record;
  record.start_unix_micros = context_.reactor.unix_micros() - duration;
  record.service = service().name;
  if (route_ != nullptr) record.route = route_->name;
  if (cluster_ != nullptr) {
    record.upstream = cluster_->spec().name;
    if (attempt_->endpoint >= 0) {
      record.endpoint = cluster_->spec().endpoints[static_cast<size_t>(attempt_->endpoint)].address;
    }
  }
  record.request_id = request_id_;
  record.trace_id = {traceparent_ + 3, kTraceIdChars};
  record.client = client_.ip;
  record.peer = request_.peer_ip;
  if (request_.identity != nullptr) record.client_cert_subject = request_.identity->subject;
  record.method = request_.head->method_text;
  record.scheme = request_.scheme;
  record.host = host_;
  record.path = path_;
  record.query = request_.query.empty() ? request_.query : request_.query.substr(1);
  record.protocol = request_.protocol;
  for (const http::Field& field : request_.head->fields) {
    if (field.id == FieldId::kUserAgent) record.user_agent = field.value;
    if (field.id == FieldId::kReferer) record.referer = field.value;
  }
  record.status = status_;
  record.attempts = attempts_;
  record.request_body_bytes = request_body_bytes_;
  record.response_body_bytes = response_body_bytes_;
  record.duration_micros = duration;
  record.connect_micros = attempt_->connect_micros;
  record.upstream_head_micros = attempt_->head_micros;
  record.failure = failure_;
  record.version = runtime_.config().version.revision();
  context_.access_log.Append(record);
}

}  // namespace sluice::exchange
