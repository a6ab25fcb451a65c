#include "tools/redact/lines.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "tools/redact/redact.h"
#include "tools/redact/secret_names.h"
#include "tools/redact/shapes.h"
#include "tools/redact/yaml_place.h"

namespace sluice::redact {
namespace {

constexpr std::string_view kBlanks = " \t";

class LineRedactor {
 public:
  // What is passed on is added to `out`, which must outlive this.
  LineRedactor(std::string* out, bool in_comments) : out_(*out), in_comments_(in_comments) {}

  // Without its end.
  void Line(std::string_view line) {
    const bool returned = line.ends_with('\r');  // CRLF
    if (returned) line.remove_suffix(1);
    const size_t indent = IndentOf(line);
    place_.BeginLine(line);
    if (!Comment(line, indent)) {
      if (std::exchange(name_follows_, name_follows_ && indent == line.size())) {
        NoteName(line.substr(indent));
      }
      Scan(line, GoOn(line, indent));
    }
    if (returned) out_ += '\r';
  }

 private:
  // A line that is but a comment is a line of another document, and ends nothing of this one.
  bool Comment(std::string_view line, size_t indent) {
    if (in_comments_ || open_quote_ != 0 || indent == line.size()) return false;
    if (line[indent] != '#') {
      comments_.reset();
      return false;
    }
    if (in_block_ && indent > block_indent_) return false;  // It may be text.
    if (comments_ == nullptr) comments_ = std::make_unique<LineRedactor>(&out_, true);
    const size_t text = std::min(line.find_first_not_of('#', indent), line.size());
    out_.append(line.substr(0, text));
    comments_->Line(line.substr(text));
    return true;
  }

  // Takes what belongs to a value that began on a line before. Returns where the line's own begins.
  size_t GoOn(std::string_view line, size_t indent) {
    if (open_quote_ != 0) {
      const size_t end = EndOfQuoted(line, open_quote_);
      if (end == line.size()) return Take(line, indent, end);
      open_quote_ = 0;
      if (!quote_is_around_) return Take(line, indent, end + 1);
      Take(line, indent, end);  // The one before the name was passed on, and so is this one.
      out_ += line[end];
      place_.SkipTo(end + 1);
      return end + 1;
    }
    if (indent == line.size()) return Take(line, 0, 0);
    if (in_block_) {
      const bool item = block_is_list_ && indent == block_indent_ && line[indent] == '-';
      if (indent > block_indent_ || item) {
        if (line.find_first_of(",]}") != std::string_view::npos) in_flow_value_ = false;
        value_follows_ = false;
        return Take(line, indent, line.size());
      }
      in_block_ = false;
      // In quotes or brackets that began further up, lines need not be deeper either.
      if (std::exchange(value_follows_, false) && !IsEntry(line.substr(indent))) {
        in_flow_value_ = true;
      }
    }
    // In {token: x, ...} lines need not be deeper to go on.
    if (open_brackets_ > 0) return Take(line, indent, EndOfBrackets(line));
    if (!place_.in_flow() && IsEntry(line.substr(indent))) in_flow_value_ = false;
    if (in_flow_value_) {
      const bool marked = line.substr(indent, kRedacted.size()) == kRedacted;
      const size_t end = line.find_first_of(",]}", indent + (marked ? kRedacted.size() : 0));
      in_flow_value_ = end == std::string_view::npos;
      return Take(line, indent, std::min(end, line.size()));
    }
    return 0;
  }

  // Where in `text` as many brackets have closed as were open.
  size_t EndOfBrackets(std::string_view text) {
    for (size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      const bool quote = c == '"' || (c == '\'' && (i == 0 || !IsNameByte(text[i - 1])));
      if (bracket_quote_ != 0) {
        if (c == '\\' && bracket_quote_ == '"') ++i;
        if (c == bracket_quote_) bracket_quote_ = 0;
      } else if (quote) {
        bracket_quote_ = c;
      } else if (c == '[' || c == '{') {
        ++open_brackets_;
      } else if ((c == ']' || c == '}') && --open_brackets_ == 0) {
        return i + 1;
      }
    }
    return text.size();
  }

  // Instead of the line's bytes from `begin` to `end` the mark is passed on.
  size_t Take(std::string_view line, size_t begin, size_t end) {
    out_.append(line.substr(0, begin));
    if (end > begin) out_.append(kRedacted);
    place_.SkipTo(std::max(begin, end));
    return std::max(begin, end);
  }

  void Scan(std::string_view line, size_t i) {
    last_letters_.clear();
    last_end_ = 0;
    while (i < line.size()) {
      if (!IsNameByte(line[i])) {
        out_ += line[i++];
        continue;
      }
      const size_t length = NameLength(line.substr(i));
      out_.append(line.substr(i, length));
      i += Value(line, i, length);
    }
    place_.PassTo(line, line.size());
  }

  // Of the name of `length` bytes at `start`, which has been passed on: what separates it from its
  // value is passed on, and the value if it is secret is not. Returns how many bytes that took,
  // with the name.
  size_t Value(std::string_view line, size_t start, size_t length) {
    const std::string_view name = line.substr(start, length);
    const bool after_word =
        last_end_ > 0 && last_end_ + 1 == start && IsBlank(line[last_end_]) && last_end_ < start;
    const std::string before = std::exchange(last_letters_, LettersOf(name));
    const size_t name_end = start + length;
    last_end_ = name_end;

    size_t i = name_end;
    const size_t count = BackslashesBeforeQuote(line.substr(i));
    const bool quoted_name = count != std::string::npos;
    if (quoted_name) {
      i += count + 1;
      if (line[i - 1] == '\'' && StartsWith(line.substr(i), '\'')) ++i;  // Inside of '...'.
    }
    i += CountBlanks(line.substr(i));
    if (i >= line.size() || (line[i] != ':' && line[i] != '=')) return length;
    const char separator = line[i++];
    if (separator == '=') i = std::min(line.find_first_not_of("=>", i), line.size());
    const std::string_view tight = line.substr(i);  // Blanks and all.
    i += CountBlanks(tight);
    const std::string_view value = line.substr(i);

    bool secret = IsSecret(line, start, name, after_word ? before : "", value);
    if (secret && separator == ':') {
      secret = !IsNamed(line, start, name, before, after_word, tight);
    }
    if (IsKeyOfValue(name) && name_was_secret_) secret = true;
    if (IsKeyOfName(name)) NoteName(value);
    if (!secret) return length;
    name_was_secret_ = false;
    out_.append(line.substr(name_end, i - name_end));
    const bool is_field = separator == ':' && !quoted_name;
    return i - start + Drop(line, i, separator, is_field);
  }

  static bool IsSecret(std::string_view line, size_t start, std::string_view name,
                       const std::string& word_before, std::string_view value) {
    Secrecy secrecy = SecrecyOf(name);
    if (secrecy == Secrecy::kNone && !word_before.empty() && IsSecondWord(LettersOf(name))) {
      secrecy = SecrecyOf(word_before + LettersOf(name));
    }
    // What looks like the name's begin may be the end of an escape: \nCookie, \x0aCookie.
    for (const size_t escape : {1, 3, 5}) {
      const bool escaped = start > 0 && line[start - 1] == '\\' && name.size() > escape;
      if (secrecy == Secrecy::kNone && escaped) secrecy = SecrecyOf(name.substr(escape));
    }
    if (secrecy == Secrecy::kScalar) return !IsMapping(value);
    return secrecy == Secrecy::kAll;
  }

  // Before a colon: does it name something (a host, a file, a node, what to hash on) rather than
  // hold a secret?
  static bool IsNamed(std::string_view line, size_t start, std::string_view name,
                      const std::string& before, bool after_word, std::string_view tight) {
    if (IsKeyOfNamesOnly(before) && !StartsWith(tight, ' ')) return true;
    if (after_word && IsKindOfThing(before) && !IsBareSecretName(name)) return true;
    const bool behind_slash = start > 0 && line[start - 1] == '/';
    if (IsPortOrLine(tight)) return IsHostOrFile(name, behind_slash);
    // "/etc/token.yaml: no such file"
    return behind_slash && name.find('.') != std::string_view::npos;
  }

  // `name: Authorization`, of which the value follows; of `name: >-` the name follows first.
  void NoteName(std::string_view value) {
    if (const size_t count = BackslashesBeforeQuote(value); count != std::string::npos) {
      value.remove_prefix(count + 1);
    }
    name_was_secret_ = IsSecretName(value.substr(0, value.find_first_of("\\\"',:}]#")));
    name_follows_ = value.empty() || value[0] == '>' || value[0] == '|';
  }

  // Instead of the value at `at` the mark is passed on. Returns how long the value is on this line.
  // `is_field`: it is a header field's, which in quotes goes on to their end.
  size_t Drop(std::string_view line, size_t at, char separator, bool is_field) {
    const std::string_view value = line.substr(at);
    if (IsRedacted(value, separator)) return 0;
    place_.PassTo(line, at);
    // A quote that seems to end where a value begins began further up and has ended before.
    if (StartsWith(value, place_.quote()) && value.size() > 1 && IsNameByte(value[1])) {
      place_.EndQuote();
    }
    const char around = place_.quote();
    // The end of the string around it, in which its name stands, too.
    const size_t limit = around == 0 ? value.size() : EndOfQuoted(value, around);
    const size_t length =
        std::min(is_field && around != 0 ? limit : LengthOf(value, separator, around), limit);
    if (length > 0) out_.append(kRedacted);
    place_.SkipTo(at + length);
    const bool may_go_on = around == 0 || length > 0 || limit == value.size();
    if (separator == ':' && !place_.in_comment() && may_go_on) ExpectMore(line, value, limit);
    return length;
  }

  static size_t LengthOf(std::string_view value, char separator, char around) {
    const bool quoted = BackslashesBeforeQuote(value) != std::string::npos;
    // 'it''s': one of these quotes is two.
    if (quoted && around == '\'' && value[0] == '\'') return value.size();
    if (quoted) return QuotedLength(value);
    if (separator == ':') return value.size();
    const std::string_view plain =
        value.substr(0, around == 0 ? value.size() : EndOfQuoted(value, around));
    size_t length = PlainLength(plain);
    if (!IsScheme(plain.substr(0, length))) return length;
    length += CountBlanks(plain.substr(length));
    return length + PlainLength(plain.substr(length));
  }

  // The lines below may be part of the value.
  void ExpectMore(std::string_view line, std::string_view value, size_t limit) {
    in_block_ = true;
    block_indent_ = IndentOf(line);
    while (line.substr(block_indent_, 2) == "- ") {
      block_indent_ += 1 + CountBlanks(line.substr(block_indent_ + 1));
    }
    block_is_list_ = value_follows_ = value.empty();
    const char around = place_.quote();
    const bool quoted = BackslashesBeforeQuote(value) != std::string::npos;
    quote_is_around_ = around != 0;
    if (around != 0) {
      if (limit == value.size()) open_quote_ = around;
    } else if (quoted) {
      const bool ends = QuotedLength(value) != std::string::npos;
      if (!ends) open_quote_ = value[BackslashesBeforeQuote(value)];
    } else if (place_.in_flow() && (StartsWith(value, '[') || StartsWith(value, '{'))) {
      open_brackets_ = 0;
      bracket_quote_ = 0;
      EndOfBrackets(value);
    } else if (place_.in_flow()) {
      const size_t last = value.find_last_not_of(kBlanks);
      in_flow_value_ = last == std::string_view::npos ||
                       std::string_view(",]}").find(value[last]) == std::string_view::npos;
    }
  }

  std::string& out_;
  const bool in_comments_;
  std::unique_ptr<LineRedactor> comments_;  // Of the lines of comments right above.
  YamlPlace place_;
  char open_quote_ = 0;           // The value is in quotes that have not ended; 0: it is not.
  bool quote_is_around_ = false;  // And around its name, too.
  size_t open_brackets_ = 0;      // The value is in so many brackets, inside of others.
  char bracket_quote_ = 0;        // Between them.
  bool in_flow_value_ = false;    // The value goes on to the next comma or bracket.
  bool in_block_ = false;         // What is deeper than block_indent_ belongs to the value.
  bool value_follows_ = false;    // There was nothing of it on the line of its name.
  bool block_is_list_ = false;    // Items may stand at the indent of their key.
  size_t block_indent_ = 0;
  bool name_was_secret_ = false;
  bool name_follows_ = false;
  std::string last_letters_;  // Of the name before, on this line.
  size_t last_end_ = 0;
};

}  // namespace

std::string WithoutSecretValues(std::string_view text) {
  std::string out;
  LineRedactor redactor(&out, false);
  while (!text.empty()) {
    const size_t end = text.find('\n');
    redactor.Line(text.substr(0, end));
    if (end == std::string_view::npos) break;
    out += '\n';
    text.remove_prefix(end + 1);
  }
  return out;
}

bool IsKeyOfNamesOnly(std::string_view key) {
  const std::string letters = LettersOf(key);
  return letters == "hashon" || letters == "hash";
}

}  // namespace sluice::redact
