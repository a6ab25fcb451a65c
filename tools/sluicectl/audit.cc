// sluicectl audit: who changed what or was refused, when and from where.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/sluicectl/format.h"
#include "tools/sluicectl/session.h"
#include "tools/sluicectl/table.h"
#include "tools/sluicectl/verbs.h"

namespace sluice::sluicectl {
namespace {

ExitCode Run(uint64_t limit, Session& session) {
  ControllerClient* client = session.Client();
  if (client == nullptr) return ExitCode::kUsage;
  v1::ListAuditRequest request;
  request.set_limit(static_cast<uint32_t>(std::min<uint64_t>(limit, UINT32_MAX)));
  const auto response = client->ListAudit(request);
  if (!response.ok()) return session.Fail(response.status());
  if (!IsForPeople(session.format())) {
    session.PrintJson(ToJson(*response)["entries"]);
    return ExitCode::kDone;
  }
  Table table({"TIME", "AUTHOR", "ACTION", "DETAIL", "FROM", "ROLE", "BEFORE", "AFTER", "ID"},
              {.wide = session.wide(), .wide_from = 4});
  for (const v1::AuditEntry& entry : response->entries()) {
    table.AddRow(
        {FormatTime(static_cast<int64_t>(entry.unix_ms() / 1000)), entry.author(),
         entry.refused() ? Cell("refused: " + entry.action(), Style::kRed) : Cell(entry.action()),
         entry.detail(), entry.peer(), entry.role(), ShortRoot(entry.root_before()),
         ShortRoot(entry.root_after()), fmt::format("{}", entry.id())});
  }
  session.Print(table.empty() ? Text().Line("Nothing has been changed yet.") : table.ToText());
  return ExitCode::kDone;
}

}  // namespace

Command AuditCommand() {
  auto limit = std::make_shared<uint64_t>(50);
  Command command;
  command.name = "audit";
  command.summary = "List who changed what, and who was refused, the newest first";
  command.flags = {{"--limit", "N", "At most this many (default 50)", limit.get()}};
  command.run = [limit](Session& session) { return Run(*limit, session); };
  return command;
}

}  // namespace sluice::sluicectl
