#include "controlplane/yaml/tree_builder.h"

#include <absl/container/flat_hash_map.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace sluice::yaml {
namespace {

constexpr size_t kPieceBytes = 2048;
// Below this many keys a mapping is searched as it is.
constexpr size_t kKeysSearchedMax = 12;

bool IsFlowIndicator(char c) {
  return c == '[' || c == ']' || c == '{' || c == '}' || c == ',' || c == ':' || c == '?';
}

size_t CountCharacters(std::string_view bytes) {
  return static_cast<size_t>(std::count_if(
      bytes.begin(), bytes.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }));
}

// Whether the quoted text at the front of `text` has its closing quote.
bool QuoteIsClosed(std::string_view text) {
  const char quote = text.front();
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\\' && quote == '"') {
      ++i;
    } else if (text[i] == quote) {
      const bool doubled = quote == '\'' && i + 1 < text.size() && text[i + 1] == quote;
      if (!doubled) return true;
      ++i;
    }
  }
  return false;
}

}  // namespace

MeteredInput::int_type MeteredInput::underflow() {
  starved_by_flow_ |= indicators_ > kFlowIndicatorsMax;
  starved_by_silence_ |= silent_bytes_ > kSilentBytesMax;
  if (stopped_ || at_ >= text_.size() || starved_by_flow_ || starved_by_silence_) {
    return traits_type::eof();
  }
  const std::string_view piece = text_.substr(at_, kPieceBytes);
  silent_bytes_ += piece.size();
  indicators_ += static_cast<size_t>(std::count_if(piece.begin(), piece.end(), IsFlowIndicator));
  at_ += piece.size();
  // Never written through: a streambuf only speaks of char*.
  char* begin = const_cast<char*>(piece.data());
  setg(begin, begin, begin + piece.size());
  return traits_type::to_int_type(*begin);
}

TreeBuilder::TreeBuilder(const PreparedText& text, Tree* tree, MeteredInput* input,
                         Problems* problems)
    : text_(text), tree_(tree), input_(input), problems_(problems) {}

void TreeBuilder::Stop(const YAML::Mark& mark, std::string_view message) {
  if (stopped_) return;
  stopped_ = true;
  input_->Stop();
  const uint32_t file = tree_->file_;
  // What the parser says after its input was cut short is about the cut.
  if (input_->starved_by_flow()) {
    problems_->Error({file, static_cast<uint32_t>(std::max(last_line_, 0)) + 1, 1}, "",
                     fmt::format("a [..] or {{..}} from here on is too large (more than {} "
                                 "brackets, commas and colons); write it as an indented list",
                                 kFlowIndicatorsMax));
    return;
  }
  if (input_->starved_by_silence()) {
    problems_->Error({file, static_cast<uint32_t>(std::max(last_line_, 0)) + 1, 1}, "",
                     fmt::format("more than {} MiB from here on without a value",
                                 kSilentBytesMax / (1024 * 1024)));
    return;
  }
  CheckTabsBefore(mark.line + 1);
  // These are what the parser stumbled on.
  if (tab_reported_ || !CheckLastQuoteIsClosed()) return;
  problems_->Error(PlaceOf(mark), "", message);
}

void TreeBuilder::Finish() {
  if (!stopped_ && (input_->starved_by_flow() || input_->starved_by_silence())) {
    Stop(YAML::Mark(), "");
  }
  if (stopped_) return;
  CheckTabsBefore(INT32_MAX);
  CheckLastQuoteIsClosed();
}

void TreeBuilder::OnDocumentStart(const YAML::Mark& mark) {
  if (stopped_ || ++documents_ == 1) return;
  Stop(mark,
       "a second document begins here; one file holds one document (check the indentation, or "
       "remove the '---')");
}

void TreeBuilder::OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) {
  if (!Enter(mark)) return;
  RefuseAnchorAndTag(mark, anchor, "");
  Add(mark, NodeKind::kNull);
  last_is_quoted_ = false;
}

void TreeBuilder::OnAlias(const YAML::Mark& mark, YAML::anchor_t) {
  if (!Enter(mark)) return;
  problems_->Error(PlaceOf(mark), "",
                   "aliases (*name) are not supported; write the value out where it is needed");
  Add(mark, NodeKind::kRefused);
  last_is_quoted_ = false;
}

void TreeBuilder::OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                           const std::string& value) {
  if (!Enter(mark)) return;
  RefuseAnchorAndTag(mark, anchor, tag);
  const uint32_t index = Add(mark, NodeKind::kScalar);
  Tree::Data& data = tree_->nodes_[index];
  data.quoted = tag == "!";
  KeepText(value, static_cast<size_t>(mark.pos), &data);
  last_is_quoted_ = data.quoted;
}

void TreeBuilder::OnSequenceStart(const YAML::Mark& mark, const std::string& tag,
                                  YAML::anchor_t anchor, YAML::EmitterStyle::value) {
  if (!Enter(mark)) return;
  RefuseAnchorAndTag(mark, anchor, tag);
  Open(mark, NodeKind::kList);
}

void TreeBuilder::OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                             YAML::EmitterStyle::value) {
  if (!Enter(mark)) return;
  RefuseAnchorAndTag(mark, anchor, tag);
  Open(mark, NodeKind::kMapping);
}

void TreeBuilder::OnMapEnd() {
  if (stopped_) return;
  const uint32_t mapping = open_.back();
  Close();
  CheckKeys(mapping);
}

bool TreeBuilder::Enter(const YAML::Mark& mark) {
  if (stopped_) return false;
  CheckTabsBefore(mark.line + 1);
  input_->NoteProgress();
  last_line_ = mark.line;
  last_position_ = static_cast<size_t>(std::max(mark.pos, 0));
  if (tree_->nodes_.size() >= kNodesMax) {
    Stop(mark, fmt::format("the document has more than {} values; split the fleet, or use fewer "
                           "routes",
                           kNodesMax));
    return false;
  }
  return true;
}

void TreeBuilder::RefuseAnchorAndTag(const YAML::Mark& mark, YAML::anchor_t anchor,
                                     const std::string& tag) {
  if (anchor != 0) {
    problems_->Error(PlaceOf(mark), "",
                     "anchors (&name) are not supported; write the value out where it is needed");
  }
  if (!tag.empty() && tag != "?" && tag != "!") {
    constexpr std::string_view kYamlsOwn = "tag:yaml.org,2002:";
    const std::string written =
        tag.starts_with(kYamlsOwn) ? "!!" + tag.substr(kYamlsOwn.size()) : tag;
    problems_->Error(PlaceOf(mark), "",
                     fmt::format("tags ({}) are not supported; remove it", Quoted(written)));
  }
}

uint32_t TreeBuilder::Add(const YAML::Mark& mark, NodeKind kind) {
  const auto index = static_cast<uint32_t>(tree_->nodes_.size());
  const Place place = PlaceOf(mark);
  Tree::Data& data = tree_->nodes_.emplace_back();
  data.line = place.line;
  data.column = place.column;
  data.end = index + 1;
  data.kind = kind;
  return index;
}

void TreeBuilder::Open(const YAML::Mark& mark, NodeKind kind) {
  last_is_quoted_ = false;
  if (open_.size() >= kDepthMax) {
    Stop(mark, fmt::format("nested too deep; {} levels are allowed", kDepthMax));
    return;
  }
  open_.push_back(Add(mark, kind));
}

void TreeBuilder::Close() {
  if (stopped_) return;
  tree_->nodes_[open_.back()].end = static_cast<uint32_t>(tree_->nodes_.size());
  open_.pop_back();
}

void TreeBuilder::KeepText(const std::string& value, size_t position, Tree::Data* data) {
  data->text_bytes = static_cast<uint32_t>(value.size());
  // Nearly always the value stands in the file just as it is.
  const size_t begin = position + (data->quoted ? 1 : 0);
  if (begin <= text_.bytes.size() && text_.bytes.substr(begin, value.size()) == value) {
    data->text = text_.bytes.data() + begin;
    return;
  }
  char* copy = static_cast<char*>(tree_->texts_.allocate(std::max<size_t>(value.size(), 1), 1));
  std::memcpy(copy, value.data(), value.size());
  data->text = copy;
}

void TreeBuilder::CheckKeys(uint32_t mapping) {
  const YamlNode node(tree_, mapping);
  std::vector<YamlNode> keys;
  for (YamlNode key = node.first(); key;) {
    const YamlNode value = key.next_in(node);
    if (key.kind() == NodeKind::kScalar) {
      keys.push_back(key);
      if (key.text() == "<<" && !key.quoted()) {
        problems_->Error(
            key.place(), "",
            "merge keys (<<) are not supported; write the keys out where they are needed");
      }
    } else if (key.kind() != NodeKind::kRefused) {
      problems_->Error(key.place(), "", "a key must be plain text");
    }
    if (!value) break;
    key = value.next_in(node);
  }
  const auto report = [&](YamlNode again, YamlNode before) {
    problems_->Error(again.place(), "",
                     fmt::format("key {} is given twice, first at {}", Quoted(again.text()),
                                 problems_->Format(before.place())));
  };
  if (keys.size() <= kKeysSearchedMax) {
    for (size_t i = 1; i < keys.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        if (keys[i].text() != keys[j].text()) continue;
        report(keys[i], keys[j]);
        break;
      }
    }
    return;
  }
  absl::flat_hash_map<std::string_view, YamlNode> seen;
  seen.reserve(keys.size());
  for (const YamlNode key : keys) {
    const auto [found, inserted] = seen.emplace(key.text(), key);
    if (!inserted) report(key, found->second);
  }
}

void TreeBuilder::CheckTabsBefore(int line) {
  // Lines that begin inside a quoted or block scalar are its text, whatever they begin with.
  while (tabs_checked_ < text_.tab_lines.size() && text_.tab_lines[tabs_checked_] < line) {
    const int tab_line = text_.tab_lines[tabs_checked_++];
    const bool inside = last_is_quoted_ && tab_line > last_line_ && tab_line + 1 < line;
    const bool before_the_end = line == INT32_MAX && last_is_quoted_ && tab_line > last_line_;
    if (inside || before_the_end) continue;
    tab_reported_ = true;
    problems_->Error({tree_->file_, static_cast<uint32_t>(tab_line) + 1, 1}, "",
                     "a tab in the indentation; YAML is indented with spaces");
  }
}

bool TreeBuilder::CheckLastQuoteIsClosed() {
  // The parser takes the end of the file for a closing quote.
  if (!last_is_quoted_ || last_position_ >= text_.bytes.size()) return true;
  const std::string_view rest = text_.bytes.substr(last_position_);
  if ((rest.front() != '"' && rest.front() != '\'') || QuoteIsClosed(rest)) return true;
  const Place place{tree_->file_, static_cast<uint32_t>(last_line_) + 1,
                    tree_->nodes_.back().column};
  problems_->Error(place, "",
                   fmt::format("the quote {} opened here is never closed", rest.front()));
  return false;
}

Place TreeBuilder::PlaceOf(const YAML::Mark& mark) {
  const uint32_t file = tree_->file_;
  if (mark.line < 0) return {file, 0, 0};
  const auto line = static_cast<uint32_t>(mark.line) + 1;
  const auto column = static_cast<uint32_t>(mark.column);
  const auto position = static_cast<size_t>(mark.pos);
  if (text_.ascii || position > text_.bytes.size() || column > position)
    return {file, line, column + 1};
  // Marks come nearly in order, so only what lies between two of them is counted.
  if (line != column_line_ || position < column_position_) {
    column_line_ = line;
    column_position_ = position - column;
    column_characters_ = 0;
  }
  column_characters_ += static_cast<uint32_t>(
      CountCharacters(text_.bytes.substr(column_position_, position - column_position_)));
  column_position_ = position;
  return {file, line, column_characters_ + 1};
}

}  // namespace sluice::yaml
