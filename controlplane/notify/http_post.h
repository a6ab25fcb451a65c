// One HTTP POST at a time, by libcurl.
//
// One thread. Connections are kept between calls.
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace sluice::notify {

struct PostRequest {
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string ca_file;  // Empty: the system's roots.
  std::chrono::milliseconds timeout{10'000};
};

struct PostResult {
  int status = 0;     // 0: there was no answer.
  std::string error;  // Why, then.

  bool delivered() const { return status >= 200 && status < 300; }
  // Another attempt may go better.
  bool may_pass() const { return status == 0 || status == 408 || status == 429 || status >= 500; }
};

class HttpPost {
 public:
  // `give_up` true: a request that is under way ends soon. It must outlive this object.
  explicit HttpPost(const std::atomic<bool>& give_up);
  ~HttpPost();
  HttpPost(const HttpPost&) = delete;
  HttpPost& operator=(const HttpPost&) = delete;

  // Certificates are verified, redirects are not followed, what the environment says of proxies is
  // not meant for it. The answer's body is read and forgotten.
  PostResult Send(const PostRequest& request);

 private:
  void* const handle_;  // CURL*; null when there is no memory for one.
  const std::atomic<bool>& give_up_;
};

}  // namespace sluice::notify
