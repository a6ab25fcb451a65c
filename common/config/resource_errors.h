// Where the checks of one resource put what they find.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/v1/snapshot.pb.h"

namespace sluice::config {

// One snapshot's errors are cut here: who made ten thousand mistakes made one.
inline constexpr size_t kErrorsMax = 1000;

class ResourceErrors {
 public:
  // `resource` and `errors` must outlive this object.
  ResourceErrors(const v1::Resource& resource, std::vector<v1::ResourceError>* errors)
      : resource_(resource), errors_(errors) {}

  // `field`: path inside the resource, e.g. routes[3].forward.clusters[0].cluster; empty for the
  // whole.
  void Add(std::string field, std::string message) {
    if (errors_->size() >= kErrorsMax) return;
    v1::ResourceError& error = errors_->emplace_back();
    error.mutable_resource()->set_kind(resource_.kind());
    error.mutable_resource()->set_name(resource_.name());
    error.set_field(std::move(field));
    error.set_message(std::move(message));
  }

 private:
  const v1::Resource& resource_;
  std::vector<v1::ResourceError>* errors_;
};

}  // namespace sluice::config
