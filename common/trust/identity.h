// Who a certificate says its holder is.
//
// Of our own CA: one URI in the subject alternative names, sluice://node/ID,
// sluice://operator/ROLE/NAME or sluice://controller/NAME. Of an external CA such a URI, or else
// the common name together with an organizational unit sluice-node, sluice-controller,
// sluice-viewer, sluice-operator or sluice-admin. Whoever has
// neither is nobody here: such a CA certifies others, too.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sluice::trust {

// Each may do what the ones before it may.
enum class Role : uint8_t { kNone, kViewer, kOperator, kAdmin };

std::string_view NameOf(Role role);
std::optional<Role> RoleOf(std::string_view name);

struct Identity {
  // kController: one of several, who passes calls of others on to the one who leads.
  enum class Kind : uint8_t { kNode, kOperator, kController };
  Kind kind = Kind::kNode;
  std::string name;         // Of a node its id.
  Role role = Role::kNone;  // Of an operator.
  std::string serial;       // Hexadecimal.
  int64_t not_before_unix = 0, not_after_unix = 0;
};

enum class Authority : uint8_t { kOwn, kExternal };

// Of the first certificate in the text, which somebody has verified.
absl::StatusOr<Identity> IdentityOf(std::string_view certificate_pem, Authority authority);

// As they stand in the certificate. Other characters than letters, digits and -._ are escaped.
std::string NodeUri(std::string_view node_id);
std::string ControllerUri(std::string_view name);
std::string OperatorUri(Role role, std::string_view name);

// 1 to 128 printable ASCII characters without spaces: what a node id and an operator's name may be.
bool IsIdentityName(std::string_view name);

}  // namespace sluice::trust
