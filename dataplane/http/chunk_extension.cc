#include "dataplane/http/chunk_extension.h"

#include "dataplane/http/char_class.h"

namespace sluice::http {

bool ChunkExtension::Take(char c) {
  switch (state_) {
    case State::kNameStart:
      state_ = State::kName;
      return IsTokenChar(c);
    case State::kName:
      if (c == ';') state_ = State::kNameStart;
      if (c == '=') state_ = State::kValueStart;
      return c == ';' || c == '=' || IsTokenChar(c);
    case State::kValueStart:
      state_ = c == '"' ? State::kQuoted : State::kValue;
      return c == '"' || IsTokenChar(c);
    case State::kValue:
      if (c == ';') state_ = State::kNameStart;
      return c == ';' || IsTokenChar(c);
    case State::kQuoted:
      if (c == '\\') state_ = State::kQuotedPair;
      if (c == '"') state_ = State::kQuoteClosed;
      return IsFieldValueChar(c);
    case State::kQuotedPair:
      state_ = State::kQuoted;
      return IsFieldValueChar(c);
    case State::kQuoteClosed:
      state_ = State::kNameStart;
      return c == ';';
  }
  __builtin_unreachable();
}

}  // namespace sluice::http
