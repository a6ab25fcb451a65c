#include "tools/redact/yaml_place.h"

#include <algorithm>

#include "tools/redact/secret_names.h"

namespace sluice::redact {
namespace {

bool IsQuote(char c) { return c == '"' || c == '\''; }

}  // namespace

void YamlPlace::BeginLine(std::string_view line) {
  at_ = 0;
  quote_ = 0;
  comment_ = false;
  // A key of the document: what was open was no collection.
  if (!line.empty() && IsNameByte(line[0])) depth_ = 0;
}

void YamlPlace::PassTo(std::string_view line, size_t to) {
  while (at_ < to && !comment_) {
    const size_t i = at_++;
    const char c = line[i];
    if (c == '\\' && quote_ != '\'') {
      ++at_;
    } else if (quote_ != 0) {
      if (c != quote_) continue;
      if (c == '\'' && i + 1 < line.size() && line[i + 1] == c) {
        ++at_;
      } else {
        quote_ = 0;
      }
    } else if (IsQuote(c)) {
      if (i == 0 || !IsNameByte(line[i - 1])) quote_ = c;  // Not that of "it's".
    } else if (c == '#') {
      comment_ = i == 0 || IsBlank(line[i - 1]);
    } else if (c == '[' || c == '{') {
      ++depth_;
    } else if ((c == ']' || c == '}') && depth_ > 0) {
      --depth_;
    }
  }
  SkipTo(to);
}

size_t EndOfQuoted(std::string_view text, char quote) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      if (quote == '"' || i + 1 == text.size() || text[i + 1] != quote) return i;
      ++i;
    }
  }
  return text.size();
}

size_t BackslashesBeforeQuote(std::string_view text) {
  const size_t count = std::min(text.find_first_not_of('\\'), text.size());
  return count < text.size() && IsQuote(text[count]) ? count : std::string_view::npos;
}

size_t QuotedLength(std::string_view text) {
  const size_t backslashes = BackslashesBeforeQuote(text);
  const char quote = text[backslashes];
  if (backslashes == 0) {
    const size_t end = 1 + EndOfQuoted(text.substr(1), quote);
    return end < text.size() ? end + 1 : std::string_view::npos;
  }
  size_t run = 0;
  for (size_t i = backslashes + 1; i < text.size(); ++i) {
    if (text[i] == quote && run <= backslashes) return run == backslashes ? i + 1 : i - run;
    run = text[i] == '\\' ? run + 1 : 0;
  }
  return std::string_view::npos;
}

size_t IndentOf(std::string_view line) {
  return static_cast<size_t>(std::find_if_not(line.begin(), line.end(), IsBlank) - line.begin());
}

}  // namespace sluice::redact
