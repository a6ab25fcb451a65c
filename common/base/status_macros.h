// Early return for absl::Status and absl::StatusOr.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define SLUICE_CONCAT_INNER(a, b) a##b
#define SLUICE_CONCAT(a, b) SLUICE_CONCAT_INNER(a, b)

#define RETURN_IF_ERROR(expression) \
  RETURN_IF_ERROR_INNER(SLUICE_CONCAT(returned_status_, __LINE__), expression)
#define RETURN_IF_ERROR_INNER(temporary, expression)                              \
  do {                                                                            \
    if (absl::Status temporary = (expression); !temporary.ok()) return temporary; \
  } while (false)

// ASSIGN_OR_RETURN(auto value, Expression());
#define ASSIGN_OR_RETURN(declaration, expression) \
  ASSIGN_OR_RETURN_INNER(SLUICE_CONCAT(status_or_, __LINE__), declaration, expression)
#define ASSIGN_OR_RETURN_INNER(temporary, declaration, expression) \
  auto temporary = (expression);                                   \
  if (!temporary.ok()) return std::move(temporary).status();       \
  declaration = *std::move(temporary)
