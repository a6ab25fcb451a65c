#include "dataplane/downstream/h2_connection.h"

#include "dataplane/downstream/h2_request.h"

namespace sluice::downstream {
namespace {

h2::SessionOptions OptionsFor(const runtime::Service& service) {
  return {.side = h2::Side::kServer,
          .head_bytes_max = service.head_limits.head_bytes,
          .fields_max = service.head_limits.fields,
          .head_timeout = service.timeouts.header,
          .idle_timeout = service.timeouts.keep_alive};
}

}  // namespace

void H2Connection::TakeOver(ClientConnection& other, std::string_view begun) {
  auto* connection = new H2Connection(other);
  if (!connection->stream_.socket().open()) {
    delete connection;
    return;
  }
  connection->task_ = connection->Serve(std::string(begun));
  connection->task_.Start();
}

H2Connection::H2Connection(ClientConnection& other)
    : ClientConnection(other),
      session_(*this, stream_, context_.reactor, context_.buffers, timer_,
               OptionsFor(binding_.service())) {}

H2Connection::~H2Connection() {
  task_.Cancel();
  while (streams_ != nullptr) {
    context_.reactor.Undefer(streams_);
    delete streams_;
  }
}

void H2Connection::WindDown() { session_.Shutdown(kWindDownGrace); }

h2::H2Stream* H2Connection::OnOpen(int32_t id) { return new H2Request(*this, session_, id); }

io::Task<void> H2Connection::Serve(std::string begun) {
  if (winding_down()) session_.Shutdown(kWindDownGrace);
  co_await session_.Run(begun);
  // What a GOAWAY says is lost if the socket is closed while the client still sends.
  if (!stream_.socket().peer().gone()) co_await Linger();
  DeleteSoon();
}

void H2Connection::DropSoon(H2Request& stream) { context_.reactor.Defer(Drop, &stream); }

void H2Connection::Drop(void* stream) { delete static_cast<H2Request*>(stream); }

}  // namespace sluice::downstream
