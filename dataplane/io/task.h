// Coroutines of a worker: lazily started, awaited by one caller, on one thread.
//
// Destroying a suspended task cancels it: its locals go, and every wait it stands in lets go of its
// sockets and timers. A task must not be destroyed while it runs.
//
// A child that finishes without suspending costs no switch: the caller simply goes on. Depth of the
// stack is therefore bounded by nesting, never by the number of iterations of a loop.
#pragma once

#include <coroutine>
#include <cstdlib>
#include <optional>
#include <utility>

#include "dataplane/io/frame_pool.h"

namespace sluice::io {

class PromiseBase {
 public:
  static void* operator new(size_t bytes) { return FramePool::Allocate(bytes); }
  static void operator delete(void* frame, size_t bytes) { FramePool::Free(frame, bytes); }

  std::suspend_always initial_suspend() const noexcept { return {}; }

  struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    template <typename Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> finished) const noexcept {
      PromiseBase& promise = finished.promise();
      promise.finished_ = true;
      return promise.continuation_ ? promise.continuation_ : std::noop_coroutine();
    }
    void await_resume() const noexcept {}
  };
  FinalAwaiter final_suspend() const noexcept { return {}; }
  [[noreturn]] void unhandled_exception() const noexcept { std::abort(); }  // We never throw.

  bool finished() const { return finished_; }
  void set_continuation(std::coroutine_handle<> caller) { continuation_ = caller; }

 private:
  std::coroutine_handle<> continuation_;
  bool finished_ = false;
};

template <typename T>
class [[nodiscard]] Task {
 public:
  struct promise_type : PromiseBase {
    Task get_return_object() {
      return Task(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    template <typename U>
    void return_value(U&& result) {
      value.emplace(std::forward<U>(result));
    }
    std::optional<T> value;
  };

  Task() = default;
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> caller) {
    handle_.resume();
    if (handle_.promise().finished()) return false;
    handle_.promise().set_continuation(caller);
    return true;
  }
  T await_resume() { return std::move(*handle_.promise().value); }

 private:
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

template <>
class [[nodiscard]] Task<void> {
 public:
  struct promise_type : PromiseBase {
    Task get_return_object() {
      return Task(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    void return_void() const noexcept {}
  };

  Task() = default;
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> caller) {
    handle_.resume();
    if (handle_.promise().finished()) return false;
    handle_.promise().set_continuation(caller);
    return true;
  }
  void await_resume() const noexcept {}

  // For the owner of a task that nobody awaits: runs it until its first suspension. The owner keeps
  // the Task; done() tells when it may be dropped without cancelling anything.
  void Start() { handle_.resume(); }
  bool started() const { return static_cast<bool>(handle_); }
  bool done() const { return !handle_ || handle_.promise().finished(); }
  void Cancel() {
    if (handle_) std::exchange(handle_, nullptr).destroy();
  }

 private:
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

}  // namespace sluice::io
