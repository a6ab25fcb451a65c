// Which call needs which role: the one table.
#pragma once

#include <string_view>
#include <vector>

#include "common/trust/identity.h"

namespace sluice::trust {

enum class Access : uint8_t {
  kAnyone,  // Proves itself by what it sends.
  kNode,    // A node's certificate, for its own affairs.
  kViewer,  // The rest are operators; each may do what the ones before it may.
  kOperator,
  kAdmin,
};

struct Rule {
  std::string_view method;  // "AdminService/Apply"; an action of a method as ":NAME" behind it.
  Access least;
};

const std::vector<Rule>& Rules();
// Null: no such row. Then nobody may.
const Rule* FindRule(std::string_view method);

// Of an operator's access; kNone for kAnyone and kNode.
Role RoleFor(Access access);

}  // namespace sluice::trust
