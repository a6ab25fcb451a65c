// Checks the extensions of a chunk size line, byte after byte, and keeps nothing of them
// (RFC 9112 section 7.1.1). The optional whitespace of the grammar is refused: it serves nobody but
// those who look for two readings of one line.
#pragma once

#include <cstdint>

namespace sluice::http {

class ChunkExtension {
 public:
  // After the first ";".
  void Reset() { state_ = State::kNameStart; }
  // False if `c` cannot stand here.
  bool Take(char c);
  // Whether the line may end here.
  bool complete() const {
    return state_ == State::kName || state_ == State::kValue || state_ == State::kQuoteClosed;
  }

 private:
  enum class State : uint8_t {
    kNameStart,
    kName,
    kValueStart,
    kValue,
    kQuoted,
    kQuotedPair,
    kQuoteClosed,
  };
  State state_ = State::kNameStart;
};

}  // namespace sluice::http
