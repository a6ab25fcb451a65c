// HTTP/2 sessions under any bytes, of either side: streams are taken, read, answered and dropped at
// moments that the input chooses. No crash, no leak, nothing received beyond a stream's window, no
// heads without limit, and a session always ends when its peer has.
//
// The first byte: 1: we are the client; 2: the bytes come by the socket instead of at the start;
// 4: streams are dropped early; 8: bodies are not taken; 16: a shutdown at once; 32: heads are not
// looked at.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "common/base/check.h"
#include "dataplane/h2/field_list.h"
#include "dataplane/h2/h2_session.h"
#include "dataplane/h2/request_head.h"
#include "dataplane/h2/response_head.h"

namespace sluice::h2 {
namespace {

constexpr uint32_t kWindow = 16 * 1024;

class FuzzOwner;

class FuzzStream final : public H2Stream {
 public:
  FuzzStream(FuzzOwner& owner, H2Session& session, int32_t id)
      : H2Stream(session, id), owner_(owner) {}
  FuzzStream(FuzzOwner& owner, H2Session& session) : H2Stream(session), owner_(owner) {}
  ~FuzzStream() override { answer_.Cancel(); }

  bool over = false;

 private:
  void OnNews() override;
  io::Task<void> Answer();
  void ReadHead();

  FuzzOwner& owner_;
  io::Task<void> answer_;
  io::Timer timer_;
  http::RequestHead request_;
  http::ResponseHead response_;
  std::string cookie_;
  PseudoFields pseudo_;
};

class FuzzOwner final : public SessionOwner {
 public:
  explicit FuzzOwner(uint8_t mode_in) : mode(mode_in) {}

  H2Stream* OnOpen(int32_t id) override {
    if (streams.size() > 64) return nullptr;
    streams.push_back(std::make_unique<FuzzStream>(*this, *session, id));
    return streams.back().get();
  }
  void CountReceived(size_t) override {}
  void CountSent(size_t) override {}
  void CountAbuse() override { SLUICE_CHECK(++abuses == 1); }
  // A member: clang 14 cannot assemble coroutines that are free functions under its sanitizers.
  io::Task<void> Serve(std::string_view begun, io::Reactor& reactor) {
    co_await session->Run(begun);
    reactor.StopOnce();
  }
  void Collect() {
    std::erase_if(streams, [](const auto& stream) { return stream->over; });
  }

  const uint8_t mode;
  int abuses = 0;
  H2Session* session = nullptr;
  std::vector<std::unique_ptr<FuzzStream>> streams;
};

void FuzzStream::ReadHead() {
  if (!(owner_.mode & 1)) {
    (void)ReadRequestHead(head(), {.target_bytes_max = 1024}, received_end(), &cookie_, &pseudo_,
                          &request_);
    return;
  }
  (void)ReadResponseHead(head(), http::Method::kGet, received_end(), &response_);
  if (response_.status >= 100 && response_.status < 200) NextHead();
}

void FuzzStream::OnNews() {
  SLUICE_CHECK(later_heads() <= kLaterHeadsMax);
  if (closed() || (owner_.mode & 4)) {
    over = true;
    return;
  }
  if (head_ready() && !(owner_.mode & 32)) ReadHead();
  for (const http::Field& field : trailers()) SLUICE_CHECK(!field.name.empty());
  if (!(owner_.mode & 8)) SLUICE_CHECK(TakeReceived().size() <= kWindow);
  const bool server = !(owner_.mode & 1);
  if (server && head_ready() && !answer_.started()) {
    answer_ = Answer();
    answer_.Start();
  }
}

io::Task<void> FuzzStream::Answer() {
  http::ResponseHead head;
  head.status = 200;
  head.framing = http::Framing::kChunked;
  {
    const FieldList list(head);
    if (!session().SubmitHead(*this, list.fields(), false)) co_return;
  }
  static const std::string body(3 * kWindow, 'x');
  static const std::vector<http::Field> trailers = {{"digest", "abc"}};
  (void)co_await Send(body, true, &trailers, timer_);
}

void Play(std::string_view input) {
  if (input.empty()) return;
  const auto mode = static_cast<uint8_t>(input[0]);
  input.remove_prefix(1);
  int ends[2];
  SLUICE_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
  io::BufferPool buffers;
  io::Reactor reactor;
  io::Timer timer;
  tls::Stream stream;
  SLUICE_CHECK(stream.socket().Open(reactor, ends[0]));
  std::string_view begun = input;
  if (mode & 2) {
    const ssize_t written = write(ends[1], input.data(), input.size());
    begun = input.substr(written > 0 ? static_cast<size_t>(written) : 0);
    if (!begun.empty() && begun.size() < input.size()) begun = {};
  }
  // What we say is lost; what was said to us is not.
  close(ends[1]);

  FuzzOwner owner(mode);
  {
    H2Session session(owner, stream, reactor, buffers, timer,
                      {.side = mode & 1 ? Side::kClient : Side::kServer,
                       .streams_max = 32,
                       .stream_window = kWindow,
                       .connection_window = 4 * kWindow,
                       .head_bytes_max = 4096,
                       .fields_max = 64});
    owner.session = &session;
    if (mode & 1) {
      for (int i = 0; i < 4; ++i) {
        FieldList list;
        list.Add(":method", "GET");
        list.Add(":scheme", "http");
        list.Add(":authority", "a.test");
        list.Add(":path", "/");
        owner.streams.push_back(std::make_unique<FuzzStream>(owner, session));
        SLUICE_CHECK(session.SubmitRequest(*owner.streams.back(), list.fields(), true));
        owner.streams.back()->NoteHeadIsAll();
      }
    }
    if (mode & 16) session.Shutdown(io::Millis(1));
    io::Task<void> served = owner.Serve(begun, reactor);
    served.Start();
    if (!served.done()) reactor.Run();
    SLUICE_CHECK(served.done());
    owner.Collect();
    owner.streams.clear();
    SLUICE_CHECK(session.streams() == 0);
  }
}

}  // namespace
}  // namespace sluice::h2

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sluice::h2::Play({reinterpret_cast<const char*>(data), size});
  return 0;
}
