// Problems of a document as lines, with the YAML line each is about.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/v1/admin_service.pb.h"
#include "tools/sluicectl/text.h"

namespace sluice::sluicectl {

// The lines of a document's files. The document must outlive this object and not change.
class SourceLines {
 public:
  explicit SourceLines(const v1::Document& document);

  // False when the file or the line is not there. `line` is 1-based.
  bool Find(const std::string& file, uint32_t line, std::string_view* text) const;

 private:
  std::map<std::string, std::vector<std::string_view>> files_;
};

// "file:line:column", without what is 0; empty without a file.
std::string PlaceOf(const v1::Problem& problem);

// "file:line:column: severity: path: message"; below it, when `lines` is given and has it, the
// source line with a caret under the column.
void AppendProblem(Text* text, const v1::Problem& problem, const SourceLines* lines);

// The source line and the caret alone.
void AppendSourceLine(Text* text, const SourceLines& lines, const v1::Problem& place);

// "file:line:column" as ResourceError.source has it; false when it is not of that form.
bool ParsePlace(const std::string& source, v1::Problem* place);

}  // namespace sluice::sluicectl
