// Command lines of the daemons: every flag also from the environment and from a small file.
//
// A flag --grpc-address of a program with prefix SLUICE_CONTROLLER_ is also
// SLUICE_CONTROLLER_GRPC_ADDRESS and, in the file that --bootstrap names, a line "grpc-address:
// 127.0.0.1:7400". The command line wins over the environment, that over the file. Unknown names
// are errors that suggest the nearest known one.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace sluice::base {

class Flags {
 public:
  Flags(std::string program, std::string environment_prefix, std::string summary);

  // `target` holds the default and must outlive Parse. `help` is a sentence. `default_text` is
  // shown in place of a default that differs from machine to machine.
  void Text(const std::string& name, std::string* target, const std::string& placeholder,
            const std::string& help, const std::string& default_text = "");
  void List(const std::string& name, std::vector<std::string>* target,
            const std::string& placeholder,
            const std::string& help);  // Repeatable.
  void Switch(const std::string& name, bool* target, const std::string& help);
  void Number(const std::string& name, int* target, int least, int most, const std::string& help);
  // "250ms", "5s", "1m".
  void Duration(const std::string& name, std::chrono::milliseconds* target,
                const std::string& help);

  enum class Outcome { kRun, kExitOk, kExitUsage };
  // Prints help, version or what is wrong.
  Outcome Parse(int argc, char** argv);

  // The table of the reference.
  std::string Markdown() const;

 private:
  struct Flag {
    std::string name, placeholder, help, default_text;
    bool takes_value = true;
    bool repeatable = false;
    std::function<absl::Status(const std::string& value)> set;
    bool given = false;
  };

  Flag& Add(Flag flag);
  Flag* Find(const std::string& name);
  absl::Status SetFromCommandLine(int argc, char** argv, std::string* bootstrap, bool* stop);
  absl::Status SetFromEnvironment(std::string* bootstrap);
  absl::Status SetFromFile(const std::string& path);
  absl::Status Unknown(const std::string& name) const;
  std::string EnvironmentName(const std::string& flag) const;
  std::string Help() const;

  const std::string program_, environment_prefix_, summary_;
  std::vector<Flag> flags_;
};

// "250ms", "5s", "1m", "1h"; negative ones and bare numbers are errors.
absl::Status ParseDuration(const std::string& text, std::chrono::milliseconds* duration);

}  // namespace sluice::base
