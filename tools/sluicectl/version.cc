// sluicectl version: of this program and of the controller.
#include "common/base/version.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "tools/sluicectl/format.h"
#include "tools/sluicectl/session.h"
#include "tools/sluicectl/verbs.h"

namespace sluice::sluicectl {
namespace {

// Without credentials, or when it cannot be reached, there is still this program's version to tell.
absl::StatusOr<v1::FleetStatus> AskController(const Session& session) {
  auto client = ControllerClient::Create(session.options());
  if (!client.ok()) return client.status();
  return (*client)->GetStatus({});
}

ExitCode Run(bool client_only, Session& session) {
  Json json = Json::object();
  json["sluicectl"] = base::BuildInfo();
  Text text;
  text.Line(fmt::format("sluicectl   {}", base::BuildInfo()));
  if (!client_only) {
    const auto status = AskController(session);
    if (status.ok()) {
      json["controller"] = status->controller_version();
      text.Line(fmt::format("controller  {} at {}, up {}", status->controller_version(),
                            session.options().controller,
                            FormatAge(static_cast<int64_t>(status->controller_uptime_seconds()))));
    } else {
      json["controller"] = nullptr;
      text.Line(fmt::format("controller  not known: {}", std::string(status.status().message())));
    }
  }
  if (IsForPeople(session.format())) {
    session.Print(text);
  } else {
    session.PrintJson(json);
  }
  return ExitCode::kDone;
}

}  // namespace

Command VersionCommand() {
  auto client_only = std::make_shared<bool>(false);
  Command command;
  command.name = "version";
  command.summary = "Print the version of this program and of the controller";
  command.details = "Exits 0 also when the controller cannot be asked.";
  command.flags = {{"--client", "", "Do not ask the controller", client_only.get()}};
  command.run = [client_only](Session& session) { return Run(*client_only, session); };
  return command;
}

}  // namespace sluice::sluicectl
