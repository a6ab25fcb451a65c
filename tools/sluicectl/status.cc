// sluicectl status: the fleet at a glance.
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/sluicectl/show.h"
#include "tools/sluicectl/status_text.h"
#include "tools/sluicectl/verbs.h"
#include "tools/sluicectl/verdict.h"

namespace sluice::sluicectl {
namespace {

// As the controller says it, and what that comes to: empty `findings`, and all is well.
Json StatusJson(const v1::FleetStatus& status, int64_t now_unix_ms) {
  Json json = ToJson(status);
  json["findings"] = Json::array();
  for (const Finding& finding : JudgeFleet(status, now_unix_ms)) {
    json["findings"].push_back(
        {{"urgent", finding.urgent}, {"what", finding.what}, {"next", finding.next}});
  }
  return json;
}

ExitCode Run(bool watch, Session& session) {
  Subject subject;
  const bool wide = session.wide();
  subject.fetch = [wide, &session](ControllerClient&,
                                   const v1::FleetStatus& status) -> absl::StatusOr<View> {
    const auto shared = std::make_shared<const v1::FleetStatus>(status);
    return View{
        [shared, wide](int64_t now) { return StatusText(*shared, now, wide); },
        [shared, &session] { return StatusJson(*shared, session.console().now_unix_ms()); }};
  };
  return Show(session, subject, watch);
}

}  // namespace

Command StatusCommand() {
  auto watch = std::make_shared<bool>(false);
  Command command;
  command.name = "status";
  command.summary = "Show whether all is well, which version runs on which nodes, and what to do";
  command.flags = {{"-w,--watch", "", "Go on: show it again after every change", watch.get()}};
  command.run = [watch](Session& session) { return Run(*watch, session); };
  return command;
}

}  // namespace sluice::sluicectl
