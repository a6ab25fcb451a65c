#include "dataplane/http/trailer_fields.h"

#include "dataplane/http/char_class.h"

namespace sluice::http {
namespace {

constexpr std::string_view kForbidden[] = {
    "accept-encoding", "age",        "allow",        "authorization", "cache-control",
    "expires",         "location",   "max-forwards", "pragma",        "range",
    "retry-after",     "set-cookie", "vary",         "warning",       "www-authenticate",
};
// x-real-ip and its like tell who the client is.
constexpr std::string_view kForbiddenPrefixes[] = {
    "access-control-", "content-", "if-",     "proxy-",           "sec-",
    "x-forwarded-",    "x-real-",  "x-auth-", "x-authenticated-", "strict-transport-",
};
constexpr std::string_view kAllowed[] = {"content-digest", "content-md5"};

// In lower case, and with "-" for "_" as upstreams of the CGI kind read it.
bool BeginsWith(std::string_view name, std::string_view lower) {
  if (name.size() < lower.size()) return false;
  for (size_t i = 0; i < lower.size(); ++i) {
    if ((name[i] == '_' ? '-' : ToLower(name[i])) != lower[i]) return false;
  }
  return true;
}

bool Is(std::string_view name, std::string_view lower) {
  return name.size() == lower.size() && BeginsWith(name, lower);
}

}  // namespace

bool MayBeTrailer(const Field& field) {
  if (field.id != FieldId::kOther) return field.id == FieldId::kDate;
  for (const std::string_view name : kAllowed) {
    if (Is(field.name, name)) return true;
  }
  for (const std::string_view prefix : kForbiddenPrefixes) {
    if (BeginsWith(field.name, prefix)) return false;
  }
  for (const std::string_view name : kForbidden) {
    if (Is(field.name, name)) return false;
  }
  return true;
}

}  // namespace sluice::http
