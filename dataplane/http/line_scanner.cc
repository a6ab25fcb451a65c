// LineScanner of h1_parser.h.
#include <cstring>

#include "dataplane/http/char_class.h"
#include "dataplane/http/h1_parser.h"

namespace sluice::http {

LineScanner::Next LineScanner::Take(std::string_view bytes, std::string_view* line) {
  const char* const from = bytes.data() + scanned_;
  const auto* feed = static_cast<const char*>(std::memchr(from, '\n', bytes.size() - scanned_));
  if (feed == nullptr) {
    // All but a last CR, whose LF may be on its way.
    std::string_view rest = bytes.substr(scanned_);
    if (!rest.empty() && rest.back() == '\r') rest.remove_suffix(1);
    if (!IsFieldValue(rest)) return Next::kBad;
    scanned_ += rest.size();
    return Next::kPartial;
  }
  const size_t end = static_cast<size_t>(feed - bytes.data());
  if (end == line_begin_ || bytes[end - 1] != '\r') return Next::kBad;
  *line = bytes.substr(line_begin_, end - 1 - line_begin_);
  // What was scanned as part of a partial line is known to be good.
  const size_t unchecked = scanned_ - line_begin_;
  if (unchecked < line->size() && !IsFieldValue(line->substr(unchecked))) return Next::kBad;
  line_begin_ = scanned_ = end + 1;
  return Next::kLine;
}

}  // namespace sluice::http
