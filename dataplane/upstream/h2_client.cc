#include "dataplane/upstream/h2_client.h"

#include "dataplane/h2/field_list.h"
#include "dataplane/h2/response_head.h"

namespace sluice::upstream {

using http::Failure;

H2Client::H2Client(SharedConnection& shared, http::Method method, io::Signal& news)
    : h2::H2Stream(shared.session()), shared_(shared), news_(news), method_(method) {
  shared_.Enter();
}

H2Client::~H2Client() { shared_.Leave(); }

bool H2Client::Start(const H2RequestHead& head, bool last) {
  started_micros_ = shared_.now_micros();
  // Target and query lie side by side in the request, but a rewritten path does not.
  std::string joined;
  std::string_view path = head.path;
  if (!head.query.empty()) path = joined.append(head.path).append(head.query);
  h2::FieldList list;
  list.Add(":method", head.method);
  // What is spoken here, whatever the client spoke: servers compare it with what they see.
  list.Add(":scheme", shared_.encrypted() ? "https" : "http");
  list.Add(":authority", head.authority);
  list.Add(":path", path);
  list.AddAll(head.fields);
  if (!session().SubmitRequest(*this, list.fields(), last)) return false;
  if (last) NoteHeadIsAll();
  return true;
}

io::Task<Failure> H2Client::SendBody(std::string_view piece, bool last,
                                     const std::vector<http::Field>& trailers, SendLimit limit) {
  limit.Restart();
  const Sent sent = co_await Send(piece, last, &trailers, limit.timer);
  if (sent == Sent::kDone) co_return Failure::kNone;
  co_return sent == Sent::kTimeout ? Failure::kUpstreamTimeout : Failure::kUpstreamReset;
}

Requester::Progress H2Client::ReceiveHead(http::ResponseHead* head) {
  if (head_too_large()) return Progress::kMalformed;
  if (!head_ready()) return closed() || received_end() ? Progress::kClosed : Progress::kWait;
  response_started_ = true;
  const bool end = received_end() && !has_received() && trailers().empty();
  return h2::ReadResponseHead(this->head(), method_, end, head) ? Progress::kReady
                                                                : Progress::kMalformed;
}

Requester::Progress H2Client::ReceiveBody(std::string_view* piece) {
  // Also where nothing has come: what was taken before is given back to the window.
  *piece = TakeReceived();
  if (!piece->empty() || received_end()) return Progress::kReady;
  return closed() ? Progress::kClosed : Progress::kWait;
}

void H2Client::Abort(Failure reason) {
  Reset(NGHTTP2_CANCEL);
  if (reason == Failure::kUpstreamTimeout) shared_.OnSilence(started_micros_);
}

void H2Client::OnNews() { news_.Fire(); }

}  // namespace sluice::upstream
