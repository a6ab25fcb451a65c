// sluicectl top: the fleet, live, over the whole terminal.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <memory>

#include "tools/sluicectl/fleet_watch.h"
#include "tools/sluicectl/screen.h"
#include "tools/sluicectl/session.h"
#include "tools/sluicectl/verbs.h"

namespace sluice::sluicectl {
namespace {

constexpr int kRedrawMs = 1000;  // Ages grow also when nothing happens.

// Where a signal handler may write: the number of the signal that asks us to leave.
std::array<int, 2> signal_pipe = {-1, -1};

void OnSignal(int number) {
  const int saved = errno;
  const auto byte = static_cast<unsigned char>(number);
  (void)!::write(signal_pipe[1], &byte, 1);
  errno = saved;
}

// While it lives, signals that would end the program are read from fd() instead, so that the
// terminal is given back first. Before curses starts: curses leaves handlers that are set alone.
class EndingSignals {
 public:
  EndingSignals() {
    if (::pipe2(signal_pipe.data(), O_CLOEXEC | O_NONBLOCK) != 0) signal_pipe = {-1, -1};
    struct sigaction action {};
    action.sa_handler = OnSignal;
    for (size_t i = 0; i < kSignals.size(); ++i) {
      ::sigaction(kSignals[i], &action, &before_[i]);
    }
  }
  ~EndingSignals() {
    for (size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &before_[i], nullptr);
    for (int& fd : signal_pipe) {
      if (fd >= 0) ::close(fd);
      fd = -1;
    }
  }
  EndingSignals(const EndingSignals&) = delete;
  EndingSignals& operator=(const EndingSignals&) = delete;

  int fd() const { return signal_pipe[0]; }
  // 0: none has come.
  int Take() const {
    unsigned char byte = 0;
    return ::read(signal_pipe[0], &byte, 1) == 1 ? byte : 0;
  }

 private:
  static constexpr std::array<int, 4> kSignals = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
  std::array<struct sigaction, kSignals.size()> before_{};
};

// Until the user leaves (0), a signal says so (its number), or the controller does not let us look
// any longer.
absl::StatusOr<int> Watch(Session& session, Screen& screen, FleetWatch& fleet,
                          const EndingSignals& signals) {
  TopModel model;
  for (;;) {
    screen.Draw(DrawTop(&model, session.options().controller, screen.size(),
                        session.console().now_unix_ms()));
    std::array<pollfd, 3> events = {
        {{STDIN_FILENO, POLLIN, 0}, {fleet.fd(), POLLIN, 0}, {signals.fd(), POLLIN, 0}}};
    (void)::poll(events.data(), events.size(), kRedrawMs);  // A resize interrupts it.
    if (const int number = signals.Take(); number != 0) return number;
    FleetWatch::News news = fleet.Take();
    if (!news.refused.ok()) return news.refused;
    if (news.status) model.OnStatus(*std::move(news.status), session.console().now_unix_ms());
    if (news.disconnected) model.OnDisconnected(*std::move(news.disconnected));
    while (const auto key = screen.ReadKey()) {
      if (!model.OnKey(*key)) return 0;
    }
    if ((events[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) return SIGHUP;
  }
}

ExitCode Run(Session& session) {
  if (!session.console().out_is_terminal || ::isatty(STDIN_FILENO) != 1) {
    return session.Fail(ExitCode::kUsage,
                        "top needs a terminal for input and output; use 'sluicectl status "
                        "--watch', or -o json with it");
  }
  auto client = ControllerClient::Create(session.options());
  if (!client.ok()) {
    return session.Fail(ExitCode::kUsage, std::string(client.status().message()));
  }
  auto fleet = FleetWatch::Start(*std::move(client));
  if (!fleet.ok()) return session.Fail(fleet.status());
  absl::StatusOr<int> ended = 0;
  {
    const EndingSignals signals;
    auto screen = Screen::Open(session.console().color_allowed);
    if (!screen.ok()) return session.Fail(screen.status());
    ended = Watch(session, **screen, **fleet, signals);
  }
  if (!ended.ok()) return session.Fail(ended.status());
  if (*ended == 0 || *ended == SIGINT) return ExitCode::kDone;  // Ctrl-C is a way to leave.
  // The terminal is as it was: now the signal does what it does to every program.
  std::signal(*ended, SIG_DFL);
  ::raise(*ended);
  return ExitCode::kFailed;
}

}  // namespace

Command TopCommand() {
  Command command;
  command.name = "top";
  command.summary = "Watch the fleet live, over the whole terminal";
  command.details =
      "Keys: arrows, PgUp, PgDn, j, k move; s, <, > choose the column to sort by, r turns the "
      "order; / filters; Enter opens a node; ! lists what is wrong and what to do; Esc and q go "
      "back and quit; ? helps. It goes on when the controller restarts. Where the terminal cannot "
      "be drawn on, use status --watch.";
  command.run = Run;
  return command;
}

}  // namespace sluice::sluicectl
