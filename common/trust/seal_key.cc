#include "common/trust/seal_key.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <sstream>
#include <vector>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/random.h"
#include "common/base/status_macros.h"

extern char** environ;

namespace sluice::trust {
namespace {

constexpr size_t kKeyTextBytesMax = 4096;
constexpr int64_t kCommandMsMax = 30'000;

absl::StatusOr<Sealer> SealerOf(const std::string& text, const std::string& origin) {
  std::istringstream words(text);
  std::string key, more;
  words >> key >> more;
  const auto bytes = base::HexDecode(key);
  if (!bytes.has_value() || bytes->size() != Sealer::kKeyBytes || !more.empty()) {
    return absl::InvalidArgumentError(fmt::format(
        "{}: a key of 64 hexadecimal digits is expected (openssl rand -hex 32)", origin));
  }
  return Sealer(*bytes);
}

absl::StatusOr<pid_t> Spawn(const std::string& command, int out) {
  std::istringstream text(command);
  std::vector<std::string> words;
  for (std::string word; text >> word;) words.push_back(word);
  if (words.empty()) return absl::InvalidArgumentError("--seal-key-command names no program");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  pid_t child = 0;
  const int error =
      posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return base::ErrnoStatus(error, "--seal-key-command: " + words[0]);
  return child;
}

// Until the end, `kKeyTextBytesMax` or the deadline; true: the end was reached.
bool ReadAll(int fd, int64_t deadline_ms, std::string* text) {
  std::array<char, 512> buffer;
  for (;;) {
    const int64_t left_ms = deadline_ms - base::MonotonicMillis();
    pollfd waited{.fd = fd, .events = POLLIN, .revents = 0};
    if (left_ms <= 0) return false;
    const int ready = poll(&waited, 1, static_cast<int>(left_ms));
    if (ready < 0 && errno != EINTR) return false;
    if (ready <= 0) continue;
    const ssize_t got = read(fd, buffer.data(), buffer.size());
    if (got == 0) return true;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 || text->size() > kKeyTextBytesMax) return false;
    text->append(buffer.data(), static_cast<size_t>(got));
  }
}

absl::StatusOr<std::string> OutputOf(const std::string& command) {
  std::array<int, 2> ends;
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return base::ErrnoStatus(errno, "pipe");
  const base::UniqueFd reader(ends[0]);
  base::UniqueFd writer(ends[1]);
  ASSIGN_OR_RETURN(const pid_t child, Spawn(command, writer.get()));
  writer.Reset();
  std::string text;
  const bool whole = ReadAll(reader.get(), base::MonotonicMillis() + kCommandMsMax, &text);
  if (!whole) kill(child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!whole) return absl::DeadlineExceededError("--seal-key-command: no key came");
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return absl::FailedPreconditionError("--seal-key-command: the program failed");
  }
  return text;
}

absl::StatusOr<Sealer> FromFile(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, kKeyTextBytesMax));
  return SealerOf(text, path);
}

}  // namespace

absl::StatusOr<Sealer> LoadSealer(const SealKeySource& source) {
  if (!source.file.empty() && !source.command.empty()) {
    return absl::InvalidArgumentError("--seal-key-file and --seal-key-command exclude each other");
  }
  if (!source.file.empty()) return FromFile(source.file);
  if (!source.command.empty()) {
    ASSIGN_OR_RETURN(const std::string text, OutputOf(source.command));
    return SealerOf(text, "--seal-key-command");
  }
  if (const char* value = std::getenv(source.environment.c_str());
      value != nullptr && *value != 0) {
    return SealerOf(value, source.environment);
  }
  auto found = FromFile(source.default_file);
  if (!absl::IsNotFound(found.status())) return found;
  if (!source.may_make) {
    return absl::FailedPreconditionError(fmt::format(
        "{} is missing, and what is here was sealed with a key: give it with --seal-key-file, "
        "--seal-key-command or {}, or put the file back",
        source.default_file, source.environment));
  }
  std::array<char, Sealer::kKeyBytes> key;
  base::FillRandom(key.data(), key.size());
  RETURN_IF_ERROR(base::WriteFileAtomically(
      source.default_file, base::HexEncode({key.data(), key.size()}) + "\n", 0600));
  return Sealer({key.data(), key.size()});
}

}  // namespace sluice::trust
