#include "tools/sluicectl/version_table.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "common/base/status_macros.h"
#include "tools/sluicectl/format.h"
#include "tools/sluicectl/table.h"

namespace sluice::sluicectl {
namespace {

Text VersionsText(const v1::ListVersionsResponse& response, int64_t now_unix_ms, bool wide) {
  if (response.versions().empty()) {
    return Text().Line("No versions: nothing has been applied yet.");
  }
  Table table({"VERSION", "STATE", "AGE", "SOURCE", "AUTHOR", "CHANGES", "MESSAGE", "RESOURCES",
               "CREATED", "ROOT"},
              {.wide = wide, .wide_from = 7});
  for (const v1::VersionInfo& info : response.versions()) {
    Style style = Style::kPlain;
    if (info.state() == "current") style = Style::kGreen;
    if (info.state() == "refused") style = Style::kRed;
    table.AddRow({fmt::format("{}", info.version().revision()),
                  {info.state(), style},
                  FormatAgeSince(info.created_unix_ms(), now_unix_ms),
                  info.source(),
                  info.author(),
                  fmt::format("{}", info.changes()),
                  info.message(),
                  fmt::format("{}", info.resource_count()),
                  FormatTime(static_cast<int64_t>(info.created_unix_ms() / 1000)),
                  ShortRoot(info.version().root())});
  }
  return table.ToText();
}

}  // namespace

Subject VersionsSubject(uint32_t limit, bool wide) {
  Subject subject;
  subject.needs = Subject::Needs::kHistory;
  subject.fetch = [limit, wide](ControllerClient& client,
                                const v1::FleetStatus&) -> absl::StatusOr<View> {
    v1::ListVersionsRequest request;
    request.set_limit(limit);
    ASSIGN_OR_RETURN(auto response, client.ListVersions(request));
    const auto shared = std::make_shared<const v1::ListVersionsResponse>(std::move(response));
    return View{[shared, wide](int64_t now) { return VersionsText(*shared, now, wide); },
                [shared] { return ToJson(*shared)["versions"]; }};
  };
  return subject;
}

}  // namespace sluice::sluicectl
