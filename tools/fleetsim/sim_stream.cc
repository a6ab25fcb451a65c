#include "tools/fleetsim/sim_stream.h"

#include <boost/asio/post.hpp>
#include <utility>

namespace sluice::fleetsim {

SimStream::SimStream(std::shared_ptr<StreamOwner> owner, uint64_t stream,
                     std::shared_ptr<grpc::Channel> channel, boost::asio::io_context& loop)
    : owner_(std::move(owner)),
      stream_(stream),
      channel_(std::move(channel)),
      loop_(loop),
      stub_(channel_) {
  stub_.PrepareBidiStreamingCall(&context_, "/sluice.v1.ControlService/Connect",
                                 grpc::StubOptions(), this);
  StartRead(&incoming_);
  // Reads and writes are started at times gRPC cannot know.
  AddHold();
  StartCall();
}

void SimStream::ReadNext() {
  incoming_.Clear();
  StartRead(&incoming_);
}

void SimStream::Write(const std::string& message) {
  grpc::Slice slice(message);
  outgoing_ = grpc::ByteBuffer(&slice, 1);
  StartWrite(&outgoing_);
}

void SimStream::Cancel() {
  context_.TryCancel();
  RemoveHold();
}

void SimStream::OnReadDone(bool ok) {
  if (ok) {
    boost::asio::post(loop_, [owner = owner_, stream = stream_, bytes = incoming_] {
      owner->OnBytes(stream, bytes);
    });
  } else {
    boost::asio::post(loop_, [owner = owner_, stream = stream_] { owner->OnReadEnd(stream); });
  }
}

void SimStream::OnWriteDone(bool ok) {
  if (!ok) return;  // The stream has broken, and the read ends too.
  boost::asio::post(loop_, [owner = owner_, stream = stream_] { owner->OnWritten(stream); });
}

void SimStream::OnDone(const grpc::Status& status) {
  // The owner may go as soon as it has heard of this, and its loop with it: by then nothing here
  // may hold it any more, neither this stream nor a local variable.
  auto tell = [owner = owner_, stream = stream_, status, channel = channel_]() mutable {
    channel.reset();
    owner->OnDone(stream, status);
  };
  boost::asio::io_context& loop = loop_;
  delete this;
  boost::asio::post(loop, std::move(tell));
}

}  // namespace sluice::fleetsim
