#include "dataplane/upstream/hash_key.h"

#include <strings.h>

#include "common/base/hash.h"

namespace sluice::upstream {
namespace {

// The value of NAME in "a=1SEPb=2"; `separator` is followed by optional spaces.
std::string_view Parameter(std::string_view list, char separator, std::string_view name) {
  while (!list.empty()) {
    const size_t end = std::min(list.find(separator), list.size());
    std::string_view item = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    if (item.size() > name.size() && item[name.size()] == '=' && item.starts_with(name)) {
      return item.substr(name.size() + 1);
    }
  }
  return {};
}

bool NameEquals(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

HashKey::HashKey(std::string_view hash_on) {
  const size_t colon = hash_on.find(':');
  const std::string_view kind = hash_on.substr(0, colon);
  if (colon != std::string_view::npos) name_ = hash_on.substr(colon + 1);
  if (kind == "path") source_ = Source::kPath;
  if (kind == "header") source_ = Source::kHeader;
  if (kind == "cookie") source_ = Source::kCookie;
  if (kind == "query") source_ = Source::kQuery;
}

uint64_t HashKey::Of(const HashInput& input) const {
  std::string_view value;
  switch (source_) {
    case Source::kClientIp:
      value = input.client_ip;
      break;
    case Source::kPath:
      value = input.path;
      break;
    case Source::kQuery:
      value = Parameter(input.query, '&', name_);
      break;
    case Source::kHeader:
      for (const http::Field& field : input.head->fields) {
        if (NameEquals(field.name, name_)) {
          value = field.value;
          break;
        }
      }
      break;
    case Source::kCookie:
      for (const http::Field& field : input.head->fields) {
        if (field.id != http::FieldId::kCookie) continue;
        value = Parameter(field.value, ';', name_);
        if (!value.empty()) break;
      }
      break;
  }
  return base::Hash64(value, 0);
}

}  // namespace sluice::upstream
