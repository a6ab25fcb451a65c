#include "dataplane/http/field_line.h"

#include "dataplane/http/char_class.h"
#include "dataplane/http/field_id.h"

namespace sluice::http {

bool ParseFieldLine(std::string_view line, Field* field) {
  size_t colon = 0;
  while (colon < line.size() && IsTokenChar(line[colon])) ++colon;
  if (colon == 0 || colon == line.size() || line[colon] != ':') return false;
  field->name = line.substr(0, colon);
  field->value = TrimOws(line.substr(colon + 1));
  field->id = IdentifyField(field->name);
  return true;
}

void Rebase(const char* from, const char* to, Field* field) {
  Rebase(from, to, &field->name);
  Rebase(from, to, &field->value);
}

}  // namespace sluice::http
