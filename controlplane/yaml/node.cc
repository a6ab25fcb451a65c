#include "controlplane/yaml/node.h"

#include <fmt/format.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <exception>
#include <istream>

#include "controlplane/yaml/tree_builder.h"

namespace sluice::yaml {
namespace {

std::string_view Plain(std::string_view parser_message) {
  // The parser's words for what people get wrong most often.
  if (parser_message == "illegal map value") {
    return "a ':' where no value can begin; check the indentation, or quote the text";
  }
  if (parser_message == "end of map not found") {
    return "the mapping does not go on here; check the indentation";
  }
  if (parser_message == "end of sequence not found") {
    return "the list does not go on here; check the indentation";
  }
  if (parser_message == "end of sequence flow not found") return "a '[' is never closed by ']'";
  if (parser_message == "end of map flow not found") return "a '{' is never closed by '}'";
  if (parser_message == "unknown token") {
    return "text cannot begin with this character; put it in quotes";
  }
  if (parser_message == "the referenced anchor is not defined") {
    return "aliases (*name) are not supported; write the value out where it is needed";
  }
  if (parser_message == "bad file") return "nested too deep";
  return parser_message;
}

}  // namespace

NodeKind YamlNode::kind() const { return tree_->nodes_[index_].kind; }

std::string_view YamlNode::text() const {
  const Tree::Data& data = tree_->nodes_[index_];
  return {data.text, data.text_bytes};
}

bool YamlNode::quoted() const { return tree_->nodes_[index_].quoted; }

Place YamlNode::place() const {
  const Tree::Data& data = tree_->nodes_[index_];
  return {tree_->file_, data.line, data.column};
}

YamlNode YamlNode::first() const {
  return tree_->nodes_[index_].end > index_ + 1 ? YamlNode(tree_, index_ + 1) : YamlNode();
}

YamlNode YamlNode::next_in(YamlNode parent) const {
  const uint32_t next = tree_->nodes_[index_].end;
  return next < tree_->nodes_[parent.index_].end ? YamlNode(tree_, next) : YamlNode();
}

YamlNode ValueOf(YamlNode mapping, std::string_view wanted) {
  if (!mapping || mapping.kind() != NodeKind::kMapping) return {};
  for (YamlNode key = mapping.first(); key;) {
    const YamlNode value = key.next_in(mapping);
    if (!value) return {};
    if (key.kind() == NodeKind::kScalar && key.text() == wanted) return value;
    key = value.next_in(mapping);
  }
  return {};
}

std::unique_ptr<const Tree> Tree::Parse(const PreparedText& text, uint32_t file,
                                        Problems* problems) {
  std::unique_ptr<Tree> tree(new Tree(file));
  MeteredInput input(text.bytes);
  TreeBuilder builder(text, tree.get(), &input, problems);
  // The parser reports by exceptions; they end here.
  try {
    std::istream stream(&input);
    YAML::Parser parser(stream);
    while (!builder.stopped() && parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& e) {
    if (!builder.stopped()) builder.Stop(e.mark, Plain(e.msg));
  } catch (const std::exception& e) {
    if (!builder.stopped())
      builder.Stop(YAML::Mark(), fmt::format("cannot be parsed: {}", e.what()));
  }
  builder.Finish();
  if (builder.stopped()) return nullptr;
  return tree;
}

}  // namespace sluice::yaml
