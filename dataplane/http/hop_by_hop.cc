#include "dataplane/http/hop_by_hop.h"

#include "dataplane/http/char_class.h"

namespace sluice::http {
namespace {

bool IsHopByHop(FieldId id) {
  switch (id) {
    case FieldId::kConnection:
    case FieldId::kKeepAlive:
    case FieldId::kProxyConnection:
    case FieldId::kTe:
    case FieldId::kTrailer:
    case FieldId::kTransferEncoding:
    case FieldId::kUpgrade:
    case FieldId::kHttp2Settings:
    case FieldId::kProxyAuthenticate:
    case FieldId::kProxyAuthorization:
      return true;
    default:
      return false;
  }
}

bool IsProtected(const Field& field) {
  if (field.id != FieldId::kOther) return true;
  return EqualsLower(field.name, "authorization") || EqualsLower(field.name, "set-cookie") ||
         EqualsLower(field.name, "content-type");
}

bool ListNames(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    const std::string_view option = TrimOws(list.substr(0, comma));
    if (option.size() == name.size()) {
      bool same = true;
      for (size_t i = 0; i < name.size() && same; ++i) {
        same = ToLower(option[i]) == ToLower(name[i]);
      }
      if (same) return true;
    }
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

template <typename Head>
bool Forwardable(const Head& head, const Field& field) {
  if (field.id != FieldId::kOther && IsHopByHop(field.id)) return false;
  if (!head.connection_names_fields || IsProtected(field)) return true;
  for (const Field& connection : head.fields) {
    if (connection.id == FieldId::kConnection && ListNames(connection.value, field.name)) {
      return false;
    }
  }
  return true;
}

}  // namespace

bool IsForwardable(const RequestHead& head, const Field& field) { return Forwardable(head, field); }
bool IsForwardable(const ResponseHead& head, const Field& field) {
  return Forwardable(head, field);
}

}  // namespace sluice::http
