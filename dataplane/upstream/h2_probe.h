// The HTTP/2 side of a health probe: one request, and what is answered. Bytes in, bytes out.
//
// Control thread.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/free_with.h"

namespace sluice::upstream {

class H2Probe {
 public:
  struct Question {
    bool encrypted = false;
    std::string authority, path;  // For gRPC the path is the method's.
    bool grpc = false;            // Asks with POST and `message`; the answer ends with a status.
    std::string message;          // Serialised, not framed.
  };
  explicit H2Probe(Question question);
  H2Probe(const H2Probe&) = delete;
  H2Probe& operator=(const H2Probe&) = delete;

  // What is to be sent now.
  std::string TakeOutput() { return std::exchange(out_, {}); }

  enum class State : uint8_t { kWaiting, kAnswered, kFailed };
  State Feed(std::string_view bytes);

  uint32_t status() const { return status_; }
  // Of gRPC: the status code, -1 for none, its text, and the first message.
  int grpc_status() const { return grpc_status_; }
  const std::string& grpc_message() const { return grpc_message_; }
  std::string_view message() const;

 private:
  // A health answer is tiny.
  static constexpr size_t kBodyBytesMax = 4096;
  static constexpr size_t kFrameHeadBytes = 5;

  static ssize_t OnBodyWanted(nghttp2_session*, int32_t, uint8_t* into, size_t room,
                              uint32_t* flags, nghttp2_data_source* source, void*);
  static int OnHeader(nghttp2_session*, const nghttp2_frame*, const uint8_t* name,
                      size_t name_bytes, const uint8_t* value, size_t value_bytes, uint8_t,
                      void* probe);
  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* probe);
  static int OnData(nghttp2_session*, uint8_t, int32_t, const uint8_t* bytes, size_t count,
                    void* probe);
  static int OnClose(nghttp2_session*, int32_t, uint32_t, void* probe);
  void Submit();
  void Pump();

  const Question question_;
  std::unique_ptr<nghttp2_session, base::FreeWith<nghttp2_session_del>> session_;
  std::string body_out_;  // Not in a frame yet.
  std::string out_;
  std::string body_;
  uint32_t status_ = 0;
  int grpc_status_ = -1;
  std::string grpc_message_;
  State state_ = State::kWaiting;
};

}  // namespace sluice::upstream
