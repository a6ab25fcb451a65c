// Where in YAML a byte of a line stands: in quotes, in a flow collection, in a comment.
//
// A guess that also does for text that is no YAML. Quotes are looked for on one line alone.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::redact {

class YamlPlace {
 public:
  void BeginLine(std::string_view line);
  // Reads the line's bytes up to `to`, which never gets less.
  void PassTo(std::string_view line, size_t to);
  // What is between is as if it was not there.
  void SkipTo(size_t to) { at_ = to > at_ ? to : at_; }

  // It was none.
  void EndQuote() { quote_ = 0; }

  char quote() const { return quote_; }  // The one that is open; 0: none.
  bool in_flow() const { return depth_ > 0; }
  bool in_comment() const { return comment_; }

 private:
  size_t at_ = 0;
  size_t depth_ = 0;  // Goes on over lines.
  char quote_ = 0;
  bool comment_ = false;
};

// Of what stands in quotes: where they end in `text`; its size if they do not.
size_t EndOfQuoted(std::string_view text, char quote);

// Length of the quoted string that `text` begins with, with the quotes: "x", 'it''s', and of nested
// ones \"x\" with so many backslashes before each quote as before the first. npos: it does not end
// here. Where less backslashes stand before a quote, that of the string around it, it ends before.
size_t QuotedLength(std::string_view text);

// The backslashes that `text` begins with when a quote follows them; npos: no quote does.
size_t BackslashesBeforeQuote(std::string_view text);

size_t IndentOf(std::string_view line);

}  // namespace sluice::redact
