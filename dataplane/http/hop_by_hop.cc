#include "dataplane/http/hop_by_hop.h"

#include <algorithm>

#include "dataplane/http/char_class.h"

namespace sluice::http {
namespace {

enum class Fate : uint8_t { kDropped, kKept, kAsNamed };

// TE is dropped whole: the next hop gets what we ask for, not what the client does.
Fate FateOf(FieldId id) {
  switch (id) {
    case FieldId::kConnection:
    case FieldId::kHttp2Settings:
    case FieldId::kKeepAlive:
    case FieldId::kProxyAuthenticate:
    case FieldId::kProxyAuthorization:
    case FieldId::kProxyConnection:
    case FieldId::kTe:
    case FieldId::kTrailer:
    case FieldId::kTransferEncoding:
    case FieldId::kUnderscore:
    case FieldId::kUpgrade:
      return Fate::kDropped;
    case FieldId::kContentLength:
    case FieldId::kCookie:
    case FieldId::kDate:
    case FieldId::kEarlyData:
    case FieldId::kExpect:
    case FieldId::kForwarded:
    case FieldId::kHost:
    case FieldId::kXForwardedClientCert:
    case FieldId::kXForwardedFor:
    case FieldId::kXForwardedHost:
    case FieldId::kXForwardedPrefix:
    case FieldId::kXForwardedProto:
    case FieldId::kXRequestId:
    case FieldId::kXSluice:
      return Fate::kKept;
    default:
      return Fate::kAsNamed;
  }
}

constexpr std::string_view kProtected[] = {
    "authorization", "cache-control", "content-encoding", "content-range",
    "content-type",  "set-cookie",    "www-authenticate", "x-real-ip",
};
constexpr std::string_view kProtectedPrefix = "x-forwarded-";

bool IsProtected(std::string_view name) {
  for (const std::string_view known : kProtected) {
    if (EqualsLower(name, known)) return true;
  }
  return EqualsLower(name.substr(0, kProtectedPrefix.size()), kProtectedPrefix);
}

}  // namespace

bool ListNames(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    if (EqualsIgnoreCase(TrimOws(list.substr(0, comma)), name)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

namespace internal {

bool IsForwardableByRules(const std::vector<Field>& fields, bool connection_names_fields,
                          const Field& field) {
  const Fate fate = FateOf(field.id);
  if (fate != Fate::kAsNamed) return fate == Fate::kKept;
  if (!connection_names_fields || IsProtected(field.name)) return true;
  return std::none_of(fields.begin(), fields.end(), [&](const Field& other) {
    return other.id == FieldId::kConnection && ListNames(other.value, field.name);
  });
}

}  // namespace internal

}  // namespace sluice::http
