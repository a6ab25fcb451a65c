// Times as text, cheaply: the text of the last second is remembered.
//
// Hot path. One worker's.
#pragma once

#include <array>
#include <cstdint>

namespace sluice::observe {

class TimeText {
 public:
  char* WriteRfc3339(int64_t unix_micros, char* out);  // 2024-05-01T12:30:45.123Z
  char* WriteCommon(int64_t unix_micros, char* out);   // 01/May/2024:12:30:45 +0000

 private:
  void Update(int64_t unix_seconds);
  int64_t second_ = -1;
  std::array<char, 24> rfc3339_;  // 2024-05-01T12:30:45.
  std::array<char, 32> common_;
};

}  // namespace sluice::observe
