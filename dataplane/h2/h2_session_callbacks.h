// What nghttp2 calls: each callback records what happened in the session and its streams.
#pragma once

#include "dataplane/h2/h2_session.h"

namespace sluice::h2 {

struct H2Session::Callbacks {
  static nghttp2_session* NewSession(H2Session& session, Side side);
  // The source of every body: what the stream's Send was given.
  static nghttp2_data_provider Body();

 private:
  static const nghttp2_session_callbacks* Table();
  static const nghttp2_option* Options();
  static H2Stream* Find(nghttp2_session* raw, int32_t id) {
    return static_cast<H2Stream*>(nghttp2_session_get_stream_user_data(raw, id));
  }
  static void News(H2Session& session, H2Stream& stream) {
    stream.has_news_ = true;
    session.Touch(stream);
  }
  static void SectionEnded(H2Session& session, H2Stream& stream);
  static void TakeTrailers(H2Stream& stream);
  static void RefuseLaterHeads(H2Session& session, H2Stream& stream);

  static int OnBeginFrame(nghttp2_session* raw, const nghttp2_frame_hd* head, void* session);
  static int OnBeginHeaders(nghttp2_session* raw, const nghttp2_frame* frame, void* session);
  static int OnHeader(nghttp2_session* raw, const nghttp2_frame* frame, const uint8_t* name,
                      size_t name_bytes, const uint8_t* value, size_t value_bytes, uint8_t flags,
                      void* session);
  static int OnFrame(nghttp2_session* raw, const nghttp2_frame* frame, void* session);
  static int OnInvalidFrame(nghttp2_session* raw, const nghttp2_frame* frame, int error,
                            void* session);
  static int OnData(nghttp2_session* raw, uint8_t flags, int32_t id, const uint8_t* bytes,
                    size_t count, void* session);
  static int OnClose(nghttp2_session* raw, int32_t id, uint32_t error, void* session);
  static int OnFrameSent(nghttp2_session* raw, const nghttp2_frame* frame, void* session);
  static ssize_t OnBodyWanted(nghttp2_session* raw, int32_t id, uint8_t* into, size_t room,
                              uint32_t* flags, nghttp2_data_source* source, void* session);
  static int OnSendData(nghttp2_session* raw, nghttp2_frame* frame, const uint8_t* head,
                        size_t count, nghttp2_data_source* source, void* session);
};

}  // namespace sluice::h2
