// sluicectl support-bundle: everything a report of a problem needs, in one file, without secrets.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>

#include "common/base/file.h"
#include "tools/sluicectl/bundle.h"
#include "tools/sluicectl/format.h"
#include "tools/sluicectl/session.h"
#include "tools/sluicectl/verbs.h"

namespace sluice::sluicectl {
namespace {

struct Options {
  std::string file;
  BundleOptions bundle;
};

// sluice-support-20260131-235959
std::string FolderOf(int64_t now_unix_ms) {
  const std::time_t seconds = now_unix_ms / 1000;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  return fmt::format("sluice-support-{:%Y%m%d-%H%M%S}", utc);
}

void PrintResult(const std::string& path, const Bundle& bundle, size_t bytes, Session& session) {
  if (!IsForPeople(session.format())) {
    Json json = Json::object();
    json["file"] = path;
    json["bytes"] = bytes;
    json["missing"] = bundle.missing;
    session.PrintJson(json);
    return;
  }
  Text text;
  for (const std::string& missing : bundle.missing) {
    text.Add("missing: ", Style::kYellow).Add(missing).EndLine();
  }
  text.Line(fmt::format("{}: {} in {}, secrets taken out; look through it before you hand it on",
                        path, Count(bundle.files.size(), "file"), FormatBytes(bytes)));
  session.Print(text);
}

ExitCode Run(const Options& options, Session& session) {
  ControllerClient* client = session.Client();
  if (client == nullptr) return ExitCode::kUsage;
  const auto status = client->GetStatus({});
  if (!status.ok()) return session.Fail(status.status());
  const int64_t now = session.console().now_unix_ms();
  BundleOptions bundle_options = options.bundle;
  bundle_options.folder = FolderOf(now);
  const Bundle bundle = CollectBundle(*client, *status, bundle_options, now);
  const auto archive = MakeTarGz(bundle.files, now / 1000);
  if (!archive.ok()) return session.Fail(archive.status());
  const std::string path = options.file.empty() ? bundle_options.folder + ".tar.gz" : options.file;
  // For its owner only: what the rules have missed is still nobody else's business.
  if (const absl::Status written = base::WriteFileAtomically(path, *archive, 0600); !written.ok()) {
    return session.Fail(ExitCode::kFailed, std::string(written.message()));
  }
  PrintResult(path, bundle, archive->size(), session);
  return ExitCode::kDone;
}

}  // namespace

Command SupportBundleCommand() {
  auto options = std::make_shared<Options>();
  Command command;
  command.name = "support-bundle";
  command.summary = "Write all that a report of a problem needs into one file, without secrets";
  command.details =
      "A .tar.gz with versions, status, history, audit log, the current document, the newest "
      "rollout, the controller's metrics and last errors, and nodes' dumps (config, clusters, "
      "listeners, stats). Private keys, tokens, values with secret names (password, token, "
      "Authorization, ...), credentials in addresses and whatever looks like one are taken out. "
      "What cannot be had is named in its README.txt and does not fail the command: a viewer has "
      "neither audit log nor last errors, for example.";
  command.flags = {
      {"--file", "FILE", "Where to write it (default sluice-support-TIME.tar.gz here)",
       &options->file},
      {"--node", "ID", "Take the dumps of this node; may be repeated", &options->bundle.nodes},
      {"--nodes-max", "N",
       "Without --node: dumps of at most so many nodes, those in trouble first (default 20)",
       &options->bundle.nodes_max}};
  command.run = [options](Session& session) { return Run(*options, session); };
  return command;
}

}  // namespace sluice::sluicectl
