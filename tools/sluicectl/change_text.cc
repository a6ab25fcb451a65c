#include "tools/sluicectl/change_text.h"

#include <fmt/format.h>

namespace sluice::sluicectl {
namespace {

std::string KindName(v1::ResourceKind kind) {
  switch (kind) {
    case v1::RESOURCE_KIND_SETTINGS:
      return "settings";
    case v1::RESOURCE_KIND_LISTENER:
      return "service";
    case v1::RESOURCE_KIND_ROUTE_TABLE:
      return "routes of";
    case v1::RESOURCE_KIND_CLUSTER:
      return "upstream";
    case v1::RESOURCE_KIND_CERTIFICATE:
      return "certificate";
    default:
      return "resource";
  }
}

struct Mark {
  const char* text;
  Style style;
};

Mark MarkOf(v1::ResourceChange::Kind kind) {
  switch (kind) {
    case v1::ResourceChange::ADDED:
      return {"+ ", Style::kGreen};
    case v1::ResourceChange::REMOVED:
      return {"- ", Style::kRed};
    default:
      return {"~ ", Style::kYellow};
  }
}

Style LineStyle(const std::string& line) {
  if (line.starts_with('+')) return Style::kGreen;
  if (line.starts_with('-')) return Style::kRed;
  return Style::kPlain;
}

}  // namespace

std::string NameOf(const v1::ResourceId& resource) {
  const std::string kind = KindName(resource.kind());
  return resource.name().empty() ? kind : fmt::format("{} {}", kind, resource.name());
}

Text ChangesText(const Changes& changes) {
  Text text;
  for (const v1::ResourceChange& change : changes) {
    const Mark mark = MarkOf(change.kind());
    text.Add(mark.text, mark.style).Add(NameOf(change.resource()), Style::kBold).EndLine();
    for (const std::string& line : change.lines()) {
      text.Add("    ").Add(line, LineStyle(line)).EndLine();
    }
  }
  return text;
}

std::string CountChanges(const Changes& changes) {
  int counts[3] = {};
  for (const v1::ResourceChange& change : changes) {
    if (change.kind() == v1::ResourceChange::ADDED) {
      ++counts[0];
    } else if (change.kind() == v1::ResourceChange::REMOVED) {
      ++counts[2];
    } else {
      ++counts[1];
    }
  }
  return fmt::format("{} added, {} changed, {} removed", counts[0], counts[1], counts[2]);
}

}  // namespace sluice::sluicectl
