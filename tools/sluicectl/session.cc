#include "tools/sluicectl/session.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

namespace sluice::sluicectl {
namespace {

ExitCode CodeFor(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
      return ExitCode::kUnreachable;
    case absl::StatusCode::kDeadlineExceeded:
      return ExitCode::kWaitedInVain;
    default:
      return ExitCode::kFailed;
  }
}

}  // namespace

ControllerClient* Session::Client() {
  if (client_ == nullptr) {
    auto client = ControllerClient::Create(options_);
    if (!client.ok()) {
      Fail(ExitCode::kUsage, std::string(client.status().message()));
      return nullptr;
    }
    client_ = *std::move(client);
  }
  return client_.get();
}

ExitCode Session::Fail(const absl::Status& status) const {
  const ExitCode code = CodeFor(status);
  Fail(code, std::string(status.message()));
  if (code == ExitCode::kUnreachable) {
    Text hint;
    hint.Line(
        "Is it running? Start it with 'sluice-controller --config FILE --data-dir DIR', or say",
        Style::kDim);
    hint.Line(
        "where it is with --controller HOST:PORT or SLUICECTL_CONTROLLER. Both sides must agree on",
        Style::kDim);
    hint.Line("--insecure.", Style::kDim);
    console_.PrintError(hint);
  }
  return code;
}

ExitCode Session::Fail(ExitCode code, std::string_view message) const {
  Text text;
  text.Add("error: ", Style::kRed).Add(message).EndLine();
  console_.PrintError(text);
  return code;
}

void Session::PrintJson(const Json& value, Layout layout) const {
  console_.write_out(Encode(value, format(), layout));
}

std::string DefaultAuthor() {
  std::string user;
  if (const passwd* entry = ::getpwuid(::getuid()); entry != nullptr) user = entry->pw_name;
  if (user.empty()) user = fmt::format("uid {}", ::getuid());
  char host[256] = {};
  if (::gethostname(host, sizeof host - 1) != 0) return user;
  return fmt::format("{}@{}", user, host);
}

}  // namespace sluice::sluicectl
