// sluicectl history: the versions there have been.
#include <algorithm>
#include <memory>

#include "tools/sluicectl/verbs.h"
#include "tools/sluicectl/version_table.h"

namespace sluice::sluicectl {

Command HistoryCommand() {
  auto limit = std::make_shared<uint64_t>(20);
  Command command;
  command.name = "history";
  command.summary = "List versions, the newest first: who made them, when and why";
  command.flags = {{"--limit", "N", "At most this many (default 20)", limit.get()}};
  command.run = [limit](Session& session) {
    const auto at_most = static_cast<uint32_t>(std::min<uint64_t>(*limit, UINT32_MAX));
    return Show(session, VersionsSubject(at_most, session.wide()), /*watch=*/false);
  };
  return command;
}

}  // namespace sluice::sluicectl
