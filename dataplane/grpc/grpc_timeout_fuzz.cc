// grpc-timeout: what is read has the form of the specification and is at most a millisecond longer
// than said; what is written of it reads at least as long.
#include <algorithm>
#include <string>

#include "common/base/check.h"
#include "dataplane/grpc/grpc_timeout.h"

namespace sluice::grpc {
namespace {

constexpr std::string_view kUnits = "HMSmun";

bool HasTheForm(std::string_view value) {
  return value.size() >= 2 && value.size() <= 9 && kUnits.find(value.back()) != kUnits.npos &&
         value.find_first_not_of("0123456789") == value.size() - 1;
}

void CheckOne(std::string_view value) {
  const std::optional<std::chrono::milliseconds> timeout = ParseTimeout(value);
  SLUICE_CHECK(timeout.has_value() == HasTheForm(value));
  if (!timeout) return;
  constexpr double kUnitMillis[] = {3.6e6, 6e4, 1e3, 1, 1e-3, 1e-6};
  const double said = std::stod(std::string(value.substr(0, value.size() - 1))) *
                      kUnitMillis[kUnits.find(value.back())];
  const auto millis = static_cast<double>(timeout->count());
  SLUICE_CHECK(millis >= said - 1e-9 && millis < said + 1);

  char out[kTimeoutCharsMax];
  const std::string_view written(out, WriteTimeout(*timeout, out));
  SLUICE_CHECK(written.size() <= sizeof out && HasTheForm(written));
  const std::optional<std::chrono::milliseconds> again = ParseTimeout(written);
  SLUICE_CHECK(again && *again >= *timeout);
  const std::chrono::milliseconds shortest(100'000'000);
  if (*timeout > std::chrono::milliseconds(0) && *timeout < shortest) {
    SLUICE_CHECK(*again == *timeout);
  }
  SLUICE_CHECK(*again - *timeout < std::chrono::hours(1));
}

}  // namespace
}  // namespace sluice::grpc

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sluice::grpc::CheckOne({reinterpret_cast<const char*>(data), size});
  return 0;
}
