// What a try says of its endpoint.
#include "dataplane/exchange/exchange.h"
#include "dataplane/http/char_class.h"

namespace sluice::exchange {

using http::Failure;

namespace {

// UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS: what a 5xx is elsewhere.
bool IsServersFault(std::string_view grpc_status) {
  return grpc_status == "2" || grpc_status == "4" || grpc_status == "13" || grpc_status == "14" ||
         grpc_status == "15";
}

bool IsFailedCall(const std::vector<http::Field>& fields) {
  for (const http::Field& field : fields) {
    if (http::EqualsIgnoreCase(field.name, "grpc-status")) return IsServersFault(field.value);
  }
  return false;
}

}  // namespace

void Exchange::NoteOutcome(const Attempt& attempt, Failure failure) {
  upstream::OutlierDetector* const outliers = cluster_->spec().outliers.get();
  if (outliers == nullptr || attempt.endpoint < 0) return;
  bool failed = true;
  switch (failure) {
    case Failure::kNone:
      failed = attempt.response.status >= 500 ||
               (grpc_ && (IsFailedCall(attempt.response.fields) ||
                          (attempt.upstream->body_done() &&
                           IsFailedCall(attempt.upstream->response_trailers()))));
      break;
    case Failure::kUpstreamReset:
      // An upstream that says so has done nothing wrong.
      if (IsStale(attempt, failure) || (attempt.upstream != nullptr && attempt.upstream->refused()))
        return;
      break;
    case Failure::kConnectFailed:
    case Failure::kConnectTimeout:
    case Failure::kTlsFailed:
    case Failure::kUpstreamMalformed:
    case Failure::kUpstreamTimeout:
    case Failure::kUpstreamBodyCut:
    case Failure::kUpstreamBodyTimeout:
      break;
    default:
      return;
  }
  const auto endpoint = static_cast<size_t>(attempt.endpoint);
  if (failed) {
    outliers->Failed(endpoint, context_.reactor.unix_micros() / 1000);
  } else {
    outliers->Succeeded(endpoint, attempt.head_micros);
  }
}

void Exchange::NoteOutrun(const Attempt& attempt) {
  upstream::OutlierDetector* const outliers = cluster_->spec().outliers.get();
  if (outliers == nullptr || attempt.sent_micros == 0) return;
  outliers->Outrun(static_cast<size_t>(attempt.endpoint),
                   context_.reactor.now_micros() - attempt.sent_micros);
}

}  // namespace sluice::exchange
