// What an exchange and its connection use and the next one uses again: vectors and strings keep
// their capacity, so that a warm worker does not allocate.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "dataplane/http/body_reader.h"
#include "dataplane/http/h1_parser.h"
#include "dataplane/http/message.h"

namespace sluice::exchange {

struct Memory {
  http::RequestHead request;
  http::RequestParser request_parser;
  http::BodyReader request_body;
  std::vector<http::Field> upstream_fields;  // As an HTTP/2 upstream gets them.
  http::ResponseHead response;               // As received.
  http::ResponseHead filtered;               // As passed on.
  std::string host, path, stripped;  // Written only where the request's own bytes will not do.
  std::string cookie;                // Crumbs of an HTTP/2 request, joined.
  std::string text;                  // Bodies of local replies.
};

// A worker's. Hot path.
class MemoryPool {
 public:
  static constexpr size_t kKeptMax = 256;

  std::unique_ptr<Memory> Take() {
    if (free_.empty()) return std::make_unique<Memory>();
    std::unique_ptr<Memory> memory = std::move(free_.back());
    free_.pop_back();
    return memory;
  }
  void Give(std::unique_ptr<Memory> memory) {
    if (free_.size() < kKeptMax) free_.push_back(std::move(memory));
  }

 private:
  std::vector<std::unique_ptr<Memory>> free_;
};

}  // namespace sluice::exchange
