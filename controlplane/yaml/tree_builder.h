// Builds a Tree from the parser's events; refuses on the way what the format does not allow.
//
// Private to node.cc.
#pragma once

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/mark.h>

#include <cstddef>
#include <streambuf>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/yaml/node.h"

namespace sluice::yaml {

// Hands the text to the parser in small pieces and ends it early when the parser takes too much
// without telling anything (see kFlowIndicatorsMax), or when it is told to stop: the parser has no
// other way.
class MeteredInput : public std::streambuf {
 public:
  explicit MeteredInput(std::string_view text) : text_(text) {}

  void NoteProgress() { silent_bytes_ = indicators_ = 0; }
  void Stop() { stopped_ = true; }
  // The text was ended early; whatever the parser made of it is not what was written.
  bool starved_by_flow() const { return starved_by_flow_; }
  bool starved_by_silence() const { return starved_by_silence_; }

 protected:
  int_type underflow() override;

 private:
  const std::string_view text_;
  size_t at_ = 0;
  size_t silent_bytes_ = 0;
  size_t indicators_ = 0;
  bool starved_by_flow_ = false;
  bool starved_by_silence_ = false;
  bool stopped_ = false;
};

class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(const PreparedText& text, Tree* tree, MeteredInput* input, Problems* problems);

  bool stopped() const { return stopped_; }
  // Reports and ignores all that follows.
  void Stop(const YAML::Mark& mark, std::string_view message);
  // What can only be judged at the end.
  void Finish();

  void OnDocumentStart(const YAML::Mark& mark) override;
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override;
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override;
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override;
  void OnMapEnd() override;

 private:
  // False: the event is not to be built.
  bool Enter(const YAML::Mark& mark);
  void RefuseAnchorAndTag(const YAML::Mark& mark, YAML::anchor_t anchor, const std::string& tag);
  uint32_t Add(const YAML::Mark& mark, NodeKind kind);
  void Open(const YAML::Mark& mark, NodeKind kind);
  void Close();
  void KeepText(const std::string& value, size_t position, Tree::Data* data);
  void CheckKeys(uint32_t mapping);
  void CheckTabsBefore(int line);
  // False, and an error, when it is not.
  bool CheckLastQuoteIsClosed();
  Place PlaceOf(const YAML::Mark& mark);

  const PreparedText& text_;
  Tree* const tree_;
  MeteredInput* const input_;
  Problems* const problems_;
  std::vector<uint32_t> open_;  // Lists and mappings not yet closed.
  int documents_ = 0;
  bool stopped_ = false;

  // Of the event before this one.
  int last_line_ = -1;
  size_t last_position_ = 0;
  bool last_is_quoted_ = false;

  size_t tabs_checked_ = 0;  // Of text_.tab_lines.
  bool tab_reported_ = false;

  // The last place worked out: bytes into the text, and characters into its line.
  size_t column_position_ = 0;
  uint32_t column_line_ = 0;
  uint32_t column_characters_ = 0;
};

}  // namespace sluice::yaml
