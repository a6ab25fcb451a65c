// A client of the admin addresses with blocking sockets, and a thread for the io_context.
#pragma once

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <future>
#include <string>
#include <string_view>
#include <thread>

#include "common/base/address.h"
#include "common/base/file.h"

namespace sluice::web::testing {

// The control thread of a proxy. Ended by the destructor: declare it before what runs on it, and
// destroy that in On().
class ControlThread {
 public:
  ControlThread() : guard_(context_.get_executor()), thread_([this] { context_.run(); }) {}
  ~ControlThread() {
    guard_.reset();
    context_.stop();
    thread_.join();
  }
  boost::asio::io_context& context() { return context_; }

  template <typename Function>
  auto On(Function function) {
    std::packaged_task<decltype(function())()> task(std::move(function));
    auto result = task.get_future();
    boost::asio::post(context_, [&task] { task(); });
    return result.get();
  }

 private:
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
  std::thread thread_;
};

// Not connected when nothing listens there. Reads give up after twenty seconds.
class Client {
 public:
  explicit Client(const std::string& address) {
    const auto target = base::ResolveNumeric(address);
    if (!target.ok()) return;
    base::UniqueFd fd(socket(target->family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval limit{.tv_sec = 20, .tv_usec = 0};
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd.get(), target->get(), target->length) == 0) fd_ = std::move(fd);
  }
  bool connected() const { return fd_.valid(); }

  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  // Until `end` has come, or the connection ends.
  std::string ReadUntil(std::string_view end) {
    std::string all;
    char bytes[4096];
    while (end.empty() || !all.ends_with(end)) {
      const ssize_t got = recv(fd_.get(), bytes, sizeof bytes, 0);
      if (got <= 0) break;
      all.append(bytes, static_cast<size_t>(got));
    }
    return all;
  }
  std::string ReadAll() { return ReadUntil(""); }

 private:
  base::UniqueFd fd_;
};

struct Answer {
  int status = 0;  // 0: no answer.
  std::string head, body;
};

inline Answer ParseAnswer(const std::string& text) {
  Answer answer;
  const size_t end = text.find("\r\n\r\n");
  if (end == std::string::npos) return answer;
  answer.head = text.substr(0, end + 2);
  answer.body = text.substr(end + 4);
  if (text.starts_with("HTTP/1.1 ")) answer.status = std::stoi(text.substr(9, 3));
  return answer;
}

inline Answer Fetch(const std::string& address, const std::string& target,
                    const std::string& method = "GET", const std::string& headers = "") {
  Client client(address);
  if (!client.connected()) return {};
  client.Send(method + " " + target + " HTTP/1.1\r\nHost: " + address +
              "\r\nConnection: close\r\n" + headers + "\r\n");
  return ParseAnswer(client.ReadAll());
}

}  // namespace sluice::web::testing
