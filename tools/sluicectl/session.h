// What a verb runs with.
#pragma once

#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "tools/sluicectl/command.h"
#include "tools/sluicectl/console.h"
#include "tools/sluicectl/controller_client.h"
#include "tools/sluicectl/options.h"
#include "tools/sluicectl/output.h"

namespace sluice::sluicectl {

class Session {
 public:
  // Both must outlive this object.
  Session(const GlobalOptions& options, const Console& console)
      : options_(options), console_(console) {}

  const GlobalOptions& options() const { return options_; }
  const Console& console() const { return console_; }
  Format format() const { return options_.format(); }
  bool wide() const { return format() == Format::kWide; }

  // Null when address or credentials are wrong; that has then been said, and the exit code is
  // kUsage.
  ControllerClient* Client();

  // Says why on standard error, with what to do about it where known; the exit code that fits.
  ExitCode Fail(const absl::Status& status) const;
  ExitCode Fail(ExitCode code, std::string_view message) const;

  void Print(const Text& text) const { console_.Print(text); }
  // In the format asked for, json or yaml.
  void PrintJson(const Json& value, Layout layout = Layout::kPretty) const;

 private:
  const GlobalOptions& options_;
  const Console& console_;
  std::unique_ptr<ControllerClient> client_;
};

// "user@host": who versions and audit rows name.
std::string DefaultAuthor();

}  // namespace sluice::sluicectl
