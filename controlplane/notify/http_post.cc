#include "controlplane/notify/http_post.h"

#include <curl/curl.h>

#include <memory>
#include <mutex>

#include "common/base/free_with.h"

namespace sluice::notify {
namespace {

// An answer that goes on and on is no answer.
constexpr curl_off_t kAnswerBytesMax = 1 << 20;

// libcurl wants it once, before it is used.
void InitOnce() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

size_t Forget(char*, size_t size, size_t count, void*) { return size * count; }

int StopWhenAsked(void* give_up, curl_off_t, curl_off_t downloaded, curl_off_t, curl_off_t) {
  const bool asked = static_cast<const std::atomic<bool>*>(give_up)->load();
  return asked || downloaded > kAnswerBytesMax ? 1 : 0;
}

}  // namespace

HttpPost::HttpPost(const std::atomic<bool>& give_up)
    : handle_((InitOnce(), curl_easy_init())), give_up_(give_up) {}

HttpPost::~HttpPost() { curl_easy_cleanup(handle_); }

PostResult HttpPost::Send(const PostRequest& request) {
  if (handle_ == nullptr) return {0, "out of memory"};
  CURL* const curl = handle_;
  curl_easy_reset(curl);  // Connections stay.
  std::unique_ptr<curl_slist, base::FreeWith<curl_slist_free_all>> headers;
  for (const auto& [name, value] : request.headers) {
    curl_slist* grown = curl_slist_append(headers.get(), (name + ": " + value).c_str());
    if (grown == nullptr) return {0, "out of memory"};
    (void)headers.release();
    headers.reset(grown);
  }
  char error[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!request.ca_file.empty()) {
    curl_easy_setopt(curl, CURLOPT_CAINFO, request.ca_file.c_str());
    curl_easy_setopt(curl, CURLOPT_CAPATH, nullptr);
  }
  curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, Forget);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, StopWhenAsked);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, const_cast<std::atomic<bool>*>(&give_up_));
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);

  const CURLcode code = curl_easy_perform(curl);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, nullptr);  // It ends with this function.
  if (code != CURLE_OK) {
    return {0, error[0] != '\0' ? error : curl_easy_strerror(code)};
  }
  return {static_cast<int>(status), ""};
}

}  // namespace sluice::notify
