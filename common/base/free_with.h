// Deleter for the handles of C libraries: std::unique_ptr<SSL, FreeWith<SSL_free>>.
#pragma once

namespace sluice::base {

template <auto FreeFn>
struct FreeWith {
  template <typename T>
  void operator()(T* handle) const {
    FreeFn(handle);
  }
};

}  // namespace sluice::base
