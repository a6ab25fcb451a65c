// Header sections as nghttp2 takes them.
//
// Hot path: capacity is kept from one to the next.
#pragma once

#include <nghttp2/nghttp2.h>

#include <charconv>
#include <span>
#include <vector>

#include "dataplane/http/message.h"

namespace sluice::h2 {

// nghttp2 copies both, the name in lower case.
inline nghttp2_nv FieldPair(std::string_view name, std::string_view value) {
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NONE};
}

// A thread has one at a time: it is used up by the call it is made for.
class FieldList {
 public:
  FieldList() { fields_.clear(); }
  explicit FieldList(const http::ResponseHead& head) : FieldList() {
    std::to_chars(status_, status_ + sizeof status_, head.status);
    Add(":status", {status_, sizeof status_});
    AddAll(head.fields);
    if (head.framing == http::Framing::kLength) AddLength(head.content_length);
  }
  FieldList(const FieldList&) = delete;
  FieldList& operator=(const FieldList&) = delete;

  void Add(std::string_view name, std::string_view value) {
    fields_.push_back(FieldPair(name, value));
  }
  void AddAll(const std::vector<http::Field>& fields) {
    for (const http::Field& field : fields) Add(field.name, field.value);
  }
  void AddLength(uint64_t length) {
    const auto [end, error] = std::to_chars(length_, length_ + sizeof length_, length);
    Add("content-length", {length_, static_cast<size_t>(end - length_)});
  }
  std::span<const nghttp2_nv> fields() const { return fields_; }

 private:
  inline static thread_local std::vector<nghttp2_nv> fields_;
  char status_[3];
  char length_[20];
};

}  // namespace sluice::h2
