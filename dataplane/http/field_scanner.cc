#include "dataplane/http/field_scanner.h"

#include "dataplane/http/char_class.h"
#include "dataplane/http/field_id.h"

namespace sluice::http {

FieldScanner::Next FieldScanner::Take(std::string_view bytes, std::vector<Field>* fields) {
  const char* const base = bytes.data();
  const char* const end = base + bytes.size();
  const char* at = base + scanned_;

  if (name_end_ == 0) {
    at = FindTokenEnd(at, end);
    scanned_ = static_cast<size_t>(at - base);
    if (at == end) return Next::kPartial;
    if (scanned_ == line_begin_) {
      // No name: only the empty line may begin so.
      if (*at != '\r') return Next::kBad;
      if (at + 1 == end) return Next::kPartial;
      if (at[1] != '\n') return Next::kBad;
      line_begin_ = scanned_ += 2;
      return Next::kEnd;
    }
    if (*at != ':') return Next::kBad;
    name_end_ = scanned_;
    ++at;
  }

  at = FindFieldValueEnd(at, end);
  scanned_ = static_cast<size_t>(at - base);
  if (at == end) return Next::kPartial;
  if (*at != '\r') return Next::kBad;
  if (at + 1 == end) return Next::kPartial;
  if (at[1] != '\n') return Next::kBad;

  // Filled where it stays: a copy would wait for these stores.
  Field& field = fields->emplace_back();
  field.name = {base + line_begin_, name_end_ - line_begin_};
  const char* const value = base + name_end_ + 1;
  field.value = TrimOws({value, static_cast<size_t>(at - value)});
  field.id = IdentifyField(field.name);
  line_begin_ = scanned_ += 2;
  name_end_ = 0;
  return Next::kField;
}

namespace {

std::string_view Moved(std::string_view view, uintptr_t from, const char* to) {
  return {to + (reinterpret_cast<uintptr_t>(view.data()) - from), view.size()};
}

}  // namespace

void Rebase(uintptr_t from, const char* to, std::vector<Field>* fields) {
  for (Field& field : *fields) {
    field.name = Moved(field.name, from, to);
    field.value = Moved(field.value, from, to);
  }
}

}  // namespace sluice::http
