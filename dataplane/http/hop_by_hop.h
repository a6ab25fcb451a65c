// Which fields end at this hop and must not be forwarded (RFC 9110 section 7.6.1).
//
// Hot path: one comparison each for ordinary fields where Connection names none, which is nearly
// always.
#pragma once

#include <string_view>
#include <vector>

#include "dataplane/http/message.h"

namespace sluice::http {

// Whether a comma-separated list has this element, in any case.
bool ListNames(std::string_view list, std::string_view name);

namespace internal {
bool IsForwardableByRules(const std::vector<Field>& fields, bool connection_names_fields,
                          const Field& field);
}  // namespace internal

// False for Connection and the fields like it, and for those that Connection names; except those
// that are not the sender's to take away: framing, routing, identity, credentials. False for
// kUnderscore, too, which would pass for another field behind CGI-like upstreams.
template <typename Head>
bool IsForwardable(const Head& head, const Field& field) {
  if (field.id == FieldId::kOther && !head.connection_names_fields) [[likely]]
    return true;
  return internal::IsForwardableByRules(head.fields, head.connection_names_fields, field);
}

}  // namespace sluice::http
