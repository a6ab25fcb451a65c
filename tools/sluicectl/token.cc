// sluicectl token ...: what lets a proxy join, and what makes somebody an operator.
#include <absl/time/time.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/sluicectl/format.h"
#include "tools/sluicectl/session.h"
#include "tools/sluicectl/table.h"
#include "tools/sluicectl/verbs.h"

namespace sluice::sluicectl {
namespace {

struct Wanted {
  std::string ttl;
  std::string node_id;
  std::vector<std::string> labels;
  std::string role;
  std::string name;
};

// "90s", "15m", "1h", "30d" in seconds; longer than what flags usually take.
absl::StatusOr<uint64_t> ParseTtl(const std::string& text) {
  absl::Duration duration;
  uint64_t days = 0;
  if (text.ends_with('d')) {
    const char* end = text.data() + text.size() - 1;
    const auto [stop, error] = std::from_chars(text.data(), end, days);
    if (error == std::errc() && stop == end && days > 0 && days <= 3660) return days * 86'400;
  } else if (absl::ParseDuration(text, &duration) && duration >= absl::Seconds(1)) {
    return static_cast<uint64_t>(absl::ToInt64Seconds(duration));
  }
  return absl::InvalidArgumentError(
      fmt::format("--ttl '{}': a duration from 1s to ten years is expected, such as 90s, 15m, 1h "
                  "or 30d",
                  text));
}

absl::StatusOr<v1::CreateTokenRequest> RequestOf(const Wanted& wanted) {
  v1::CreateTokenRequest request;
  if (!wanted.ttl.empty()) {
    auto ttl = ParseTtl(wanted.ttl);
    if (!ttl.ok()) return ttl.status();
    request.set_ttl_seconds(*ttl);
  }
  request.set_node_id(wanted.node_id);
  for (const std::string& label : wanted.labels) {
    const size_t equals = label.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return absl::InvalidArgumentError(fmt::format("--label '{}': write name=value", label));
    }
    (*request.mutable_labels())[label.substr(0, equals)] = label.substr(equals + 1);
  }
  request.set_role(wanted.role);
  request.set_name(wanted.name);
  if (!wanted.role.empty() && wanted.name.empty()) request.set_name(DefaultAuthor());
  return request;
}

ExitCode Create(const Wanted& wanted, Session& session) {
  const auto request = RequestOf(wanted);
  if (!request.ok()) {
    return session.Fail(ExitCode::kUsage, std::string(request.status().message()));
  }
  ControllerClient* client = session.Client();
  if (client == nullptr) return ExitCode::kUsage;
  const auto response = client->CreateToken(*request);
  if (!response.ok()) return session.Fail(response.status());
  if (!IsForPeople(session.format())) {
    session.PrintJson(ToJson(*response));
    return ExitCode::kDone;
  }
  // Alone on standard output, so that it can go into a file.
  session.Print(Text().Line(response->token()));
  return ExitCode::kDone;
}

std::string PurposeOf(const v1::Token& token) {
  if (!token.role().empty()) return fmt::format("{} for {}", token.role(), token.name());
  return token.node_id().empty() ? "join" : "join as " + token.node_id();
}

std::string LabelsOf(const v1::Token& token) {
  std::vector<std::string> words;
  for (const auto& [key, value] : token.labels()) words.push_back(key + "=" + value);
  std::sort(words.begin(), words.end());
  return fmt::format("{}", fmt::join(words, ","));
}

ExitCode List(Session& session) {
  ControllerClient* client = session.Client();
  if (client == nullptr) return ExitCode::kUsage;
  const auto response = client->ListTokens({});
  if (!response.ok()) return session.Fail(response.status());
  if (!IsForPeople(session.format())) {
    session.PrintJson(ToJson(*response)["tokens"]);
    return ExitCode::kDone;
  }
  Table table({"ID", "FOR", "STATE", "EXPIRES", "USED", "USED BY", "LABELS", "MADE", "MADE BY"},
              {.wide = session.wide(), .wide_from = 6});
  const auto time = [](uint64_t unix_ms) {
    return FormatTime(static_cast<int64_t>(unix_ms / 1000));
  };
  for (const v1::Token& token : response->tokens()) {
    const Style style = token.state() == "usable" ? Style::kGreen : Style::kDim;
    table.AddRow({token.id(),
                  PurposeOf(token),
                  {token.state(), style},
                  time(token.expires_unix_ms()),
                  time(token.used_unix_ms()),
                  token.used_by(),
                  LabelsOf(token),
                  time(token.created_unix_ms()),
                  token.created_by()});
  }
  session.Print(table.empty() ? Text().Line("There are no tokens.") : table.ToText());
  return ExitCode::kDone;
}

ExitCode Revoke(const std::string& id, Session& session) {
  ControllerClient* client = session.Client();
  if (client == nullptr) return ExitCode::kUsage;
  v1::RevokeTokenRequest request;
  request.set_id(id);
  const auto response = client->RevokeToken(request);
  if (!response.ok()) return session.Fail(response.status());
  if (IsForPeople(session.format())) {
    session.Print(Text().Line(fmt::format("token {} revoked", id)));
  } else {
    session.PrintJson(ToJson(*response));
  }
  return ExitCode::kDone;
}

Command CreateCommand() {
  auto wanted = std::make_shared<Wanted>();
  Command command;
  command.name = "create";
  command.summary = "Make a token and print it: it is told only once";
  command.details =
      "Without --role it is a join token: one proxy joins with it, once, and trusts no other "
      "controller (sluice-proxy --join-token-file). With --role it makes whoever has it an "
      "operator (--token-file).";
  command.flags = {
      {"--ttl", "DURATION", "How long it is good (default 1h to join, 30d with --role)",
       &wanted->ttl},
      {"--node-id", "ID", "Only for the proxy of this name; needed to enrol one again",
       &wanted->node_id},
      {"--label", "NAME=VALUE", "Given to the proxy that joins, whatever it says itself",
       &wanted->labels},
      {"--role",
       "ROLE",
       "viewer, operator or admin",
       &wanted->role,
       {"viewer", "operator", "admin"}},
      {"--name", "NAME", "With --role: what the audit log calls its holder (default user@host)",
       &wanted->name},
  };
  command.run = [wanted](Session& session) { return Create(*wanted, session); };
  return command;
}

Command RevokeCommand() {
  auto id = std::make_shared<std::string>();
  Command command;
  command.name = "revoke";
  command.summary = "Make a token worthless";
  command.details =
      "A proxy that has joined with it stays: 'node remove' is for that. An operator's is refused "
      "from the next call on.";
  command.positionals = {{"ID", "The token, as 'token list' names it", id.get()}};
  command.run = [id](Session& session) { return Revoke(*id, session); };
  return command;
}

}  // namespace

Command TokenCommand() {
  Command list;
  list.name = "list";
  list.summary = "List the tokens, the newest first";
  list.run = [](Session& session) { return List(session); };
  Command command;
  command.name = "token";
  command.summary = "Let proxies join and operators in";
  command.children = {CreateCommand(), std::move(list), RevokeCommand()};
  return command;
}

}  // namespace sluice::sluicectl
