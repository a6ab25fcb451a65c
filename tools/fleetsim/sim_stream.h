// One gRPC stream of a node, as bytes: what is decoded by whom is the node's business.
//
// Its owner calls it from the owner's event loop, and exactly once Finish or Cancel, after which it
// must not be touched: it deletes itself when gRPC has called OnDone. gRPC's threads only post.
#pragma once

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <string>

namespace sluice::fleetsim {

// Called on the owner's loop. `stream` numbers the owner's streams; an owner ignores those of a
// stream that it has given up.
class StreamOwner {
 public:
  virtual ~StreamOwner() = default;
  virtual void OnBytes(uint64_t stream, grpc::ByteBuffer bytes) = 0;  // Next after ReadNext().
  virtual void OnWritten(uint64_t stream) = 0;                        // The next Write may come.
  virtual void OnReadEnd(uint64_t stream) = 0;  // Finish() then tells why by OnDone.
  virtual void OnDone(uint64_t stream, const grpc::Status& status) = 0;
};

class SimStream final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  // `loop` must run until the stream has gone; the owner is kept until then.
  SimStream(std::shared_ptr<StreamOwner> owner, uint64_t stream,
            std::shared_ptr<grpc::Channel> channel, boost::asio::io_context& loop);

  void ReadNext();
  void Write(const std::string& message);  // One at a time.
  void Finish() { RemoveHold(); }
  void Cancel();

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

 private:
  ~SimStream() override = default;

  const std::shared_ptr<StreamOwner> owner_;
  const uint64_t stream_;
  // Let go of on the loop: who lets go of the last channel ends gRPC's threads, so it must not be
  // one of those.
  const std::shared_ptr<grpc::Channel> channel_;
  boost::asio::io_context& loop_;
  grpc::ClientContext context_;
  grpc::GenericStub stub_;
  grpc::ByteBuffer incoming_, outgoing_;
};

}  // namespace sluice::fleetsim
