#include "controlplane/trust/roles.h"

namespace sluice::trust {

const std::vector<Rule>& Rules() {
  static const auto* const rules = new std::vector<Rule>{
      {"EnrollmentService/Enroll", Access::kAnyone},
      {"EnrollmentService/Renew", Access::kNode},
      {"ControlService/Connect", Access::kNode},

      {"AdminService/Validate", Access::kViewer},
      {"AdminService/Diff", Access::kViewer},
      {"AdminService/GetStatus", Access::kViewer},
      {"AdminService/WatchStatus", Access::kViewer},
      {"AdminService/ListVersions", Access::kViewer},
      {"AdminService/GetConfig", Access::kViewer},
      {"AdminService/Explain", Access::kViewer},
      {"AdminService/GetRollout", Access::kViewer},
      {"AdminService/WatchRollout", Access::kViewer},
      {"AdminService/GetDiagnostics", Access::kViewer},
      {"AdminService/NodeAction:DUMP", Access::kViewer},

      {"AdminService/Apply", Access::kOperator},
      {"AdminService/Rollback", Access::kOperator},
      {"AdminService/ActOnRollout", Access::kOperator},
      {"AdminService/NodeAction:DRAIN", Access::kOperator},
      {"AdminService/NodeAction:UNDRAIN", Access::kOperator},
      {"AdminService/NodeAction:LOG_LEVEL", Access::kOperator},
      {"AdminService/NodeAction:CORDON", Access::kOperator},
      {"AdminService/NodeAction:UNCORDON", Access::kOperator},
      {"AdminService/NodeAction:LABEL", Access::kOperator},

      {"AdminService/NodeAction:REMOVE", Access::kAdmin},
      {"AdminService/ListAudit", Access::kAdmin},
      {"BackupService/Backup", Access::kAdmin},
      {"TokenService/CreateToken", Access::kAdmin},
      {"TokenService/ListTokens", Access::kAdmin},
      {"TokenService/RevokeToken", Access::kAdmin},
  };
  return *rules;
}

const Rule* FindRule(std::string_view method) {
  for (const Rule& rule : Rules()) {
    if (rule.method == method) return &rule;
  }
  return nullptr;
}

Role RoleFor(Access access) {
  switch (access) {
    case Access::kAnyone:
    case Access::kNode:
      return Role::kNone;
    case Access::kViewer:
      return Role::kViewer;
    case Access::kOperator:
      return Role::kOperator;
    case Access::kAdmin:
      return Role::kAdmin;
  }
  __builtin_unreachable();
}

}  // namespace sluice::trust
