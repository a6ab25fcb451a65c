#include "tools/sluicectl/show.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "common/base/status_macros.h"

namespace sluice::sluicectl {
namespace {

using Needs = Subject::Needs;

constexpr std::chrono::milliseconds kRedraw{1000};  // Ages grow also when nothing happens.

ExitCode ShowOnce(Session& session, ControllerClient& client, const Subject& subject) {
  v1::FleetStatus status;
  if (subject.needs == Needs::kStatus) {
    auto answer = client.GetStatus({});
    if (!answer.ok()) return session.Fail(answer.status());
    status = *std::move(answer);
  }
  const auto view = subject.fetch(client, status);
  if (!view.ok()) return session.Fail(view.status());
  if (IsForPeople(session.format())) {
    session.Print(view->text(session.console().now_unix_ms()));
  } else {
    session.PrintJson(view->json());
  }
  return ExitCode::kDone;
}

class Watcher {
 public:
  Watcher(Session& session, ControllerClient& client, const Subject& subject)
      : session_(session), client_(client), subject_(subject), block_(session.console()) {}

  ExitCode Run() {
    StreamHandler<v1::FleetStatus> handler;
    handler.on_message = [this](const v1::FleetStatus& status) {
      failure_ = Update(status);
      return failure_.ok();
    };
    handler.on_tick = [this] { Redraw(); };
    handler.tick = kRedraw;
    const absl::Status ended = client_.WatchStatus({}, handler);
    if (!failure_.ok()) return session_.Fail(failure_);
    return ended.ok() ? ExitCode::kDone : session_.Fail(ended);
  }

 private:
  bool live() const { return session_.console().out_is_terminal && IsForPeople(session_.format()); }

  absl::Status Update(const v1::FleetStatus& status) {
    const std::string version = status.version().SerializeAsString();
    if (view_ && subject_.needs == Needs::kVersion && version == version_) return absl::OkStatus();
    ASSIGN_OR_RETURN(view_, subject_.fetch(client_, status));
    version_ = version;
    if (live()) {
      Redraw();
    } else {
      PrintIfChanged();
    }
    return absl::OkStatus();
  }

  void Redraw() {
    if (live() && view_) block_.Draw(view_->text(session_.console().now_unix_ms()));
  }

  void PrintIfChanged() {
    const bool for_people = IsForPeople(session_.format());
    const std::string printed =
        for_people
            ? view_->text(session_.console().now_unix_ms()).Render(session_.console().out_color())
            : Encode(view_->json(), session_.format(), Layout::kStream);
    if (printed == printed_) return;
    if (for_people && !printed_.empty()) session_.console().write_out("\n");
    session_.console().write_out(printed);
    printed_ = printed;
  }

  Session& session_;
  ControllerClient& client_;
  const Subject& subject_;
  LiveBlock block_;
  std::optional<View> view_;
  std::string version_;
  std::string printed_;
  absl::Status failure_;
};

}  // namespace

ExitCode Show(Session& session, const Subject& subject, bool watch) {
  ControllerClient* client = session.Client();
  if (client == nullptr) return ExitCode::kUsage;
  if (!watch) return ShowOnce(session, *client, subject);
  return Watcher(session, *client, subject).Run();
}

}  // namespace sluice::sluicectl
