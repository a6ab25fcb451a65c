#include "tools/sluicectl/options.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "common/base/file.h"
#include "common/base/nearest.h"
#include "common/base/status_macros.h"

namespace sluice::sluicectl {
namespace {

constexpr size_t kContextBytesMax = 64 * 1024;
constexpr std::array<std::string_view, 8> kContextKeys = {
    "controller", "insecure", "tls_cert", "tls_key", "tls_ca", "token_file", "output", "no_color"};
const std::vector<std::string> kFormats = {"table", "wide", "json", "yaml"};

std::string DefaultContextPath() {
  const char* config_home = std::getenv("XDG_CONFIG_HOME");
  if (config_home != nullptr && *config_home != '\0') {
    return fmt::format("{}/sluice/context.yaml", config_home);
  }
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == '\0') return "";
  return fmt::format("{}/.config/sluice/context.yaml", home);
}

bool IsOursAlone(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && (info.st_uid == geteuid() || info.st_uid == 0) &&
         (info.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

// Of a controller on this machine; empty: there is none that we may read. One that nobody has named
// must be our own: in a folder where others write, it could lead documents with their keys to them.
std::string LocalContextPath() {
  const char* data = std::getenv("SLUICE_CONTROLLER_DATA_DIR");
  const bool named = data != nullptr && *data != '\0';
  const std::string folder = fmt::format("{}/operator", named ? data : "./data/controller");
  const std::string path = folder + "/context.yaml";
  if (::access(path.c_str(), R_OK) != 0) return "";
  return named || (IsOursAlone(folder) && IsOursAlone(path)) ? path : "";
}

// Where a value of the file goes.
struct Reader {
  GlobalOptions* options;
  std::string path;

  absl::Status Error(const YAML::Mark& mark, const std::string& message) const {
    return absl::InvalidArgumentError(
        fmt::format("{}:{}:{}: {}", path, mark.line + 1, mark.column + 1, message));
  }

  std::string Resolve(const std::string& file) const {
    return (std::filesystem::path(path).parent_path() / file).string();
  }

  static void SetIfEmpty(std::string* target, const std::string& value) {
    if (target->empty()) *target = value;
  }

  absl::Status Set(const YAML::Node& name, const YAML::Node& value) {
    const std::string& key = name.Scalar();
    if (!value.IsScalar()) return Error(value.Mark(), fmt::format("{}: one value expected", key));
    if (key == "controller") {
      SetIfEmpty(&options->controller, value.Scalar());
    } else if (key == "tls_cert") {
      SetIfEmpty(&options->tls_cert, Resolve(value.Scalar()));
    } else if (key == "tls_key") {
      SetIfEmpty(&options->tls_key, Resolve(value.Scalar()));
    } else if (key == "tls_ca") {
      SetIfEmpty(&options->tls_ca, Resolve(value.Scalar()));
    } else if (key == "token_file") {
      SetIfEmpty(&options->token_file, Resolve(value.Scalar()));
    } else if (key == "output") {
      if (std::find(kFormats.begin(), kFormats.end(), value.Scalar()) == kFormats.end()) {
        return Error(value.Mark(), "output: one of table, wide, json, yaml expected");
      }
      SetIfEmpty(&options->output, value.Scalar());
    } else if (key == "insecure" || key == "no_color") {
      bool on = false;
      if (!YAML::convert<bool>::decode(value, on)) {
        return Error(value.Mark(), fmt::format("{}: true or false expected", key));
      }
      bool* target = key == "insecure" ? &options->insecure : &options->no_color;
      *target = *target || on;
    } else {
      const std::string_view nearest = base::NearestWord(key, kContextKeys);
      return Error(name.Mark(),
                   nearest.empty()
                       ? fmt::format("unknown key '{}'", key)
                       : fmt::format("unknown key '{}'; did you mean '{}'?", key, nearest));
    }
    return absl::OkStatus();
  }
};

absl::Status ReadContext(const std::string& path, GlobalOptions* options) {
  ASSIGN_OR_RETURN(const std::string content, base::ReadFile(path, kContextBytesMax));
  Reader reader{options, path};
  try {
    const YAML::Node root = YAML::Load(content);
    if (root.IsNull()) return absl::OkStatus();
    if (!root.IsMap()) return reader.Error(root.Mark(), "'key: value' lines expected");
    for (const auto& entry : root) {
      if (!entry.first.IsScalar()) return reader.Error(entry.first.Mark(), "a key expected");
      RETURN_IF_ERROR(reader.Set(entry.first, entry.second));
    }
  } catch (const YAML::Exception& error) {
    return reader.Error(error.mark, error.msg);
  }
  return absl::OkStatus();
}

}  // namespace

Format GlobalOptions::format() const {
  if (output == "json") return Format::kJson;
  if (output == "yaml") return Format::kYaml;
  if (output == "wide") return Format::kWide;
  return Format::kTable;
}

std::vector<Flag> GlobalFlags(GlobalOptions* options) {
  return {
      {"--controller",
       "HOST:PORT",
       "Address of the controller (default 127.0.0.1:7400)",
       &options->controller,
       {},
       false,
       "SLUICECTL_CONTROLLER"},
      {"-o,--output", "FORMAT", "How to print: table, wide (more columns), json or yaml",
       &options->output, kFormats, false, "SLUICECTL_OUTPUT"},
      {"--insecure",
       "",
       "Speak plain text to the controller",
       &options->insecure,
       {},
       false,
       "SLUICECTL_INSECURE"},
      {"--tls-cert",
       "FILE",
       "This operator's certificate, PEM",
       &options->tls_cert,
       {},
       false,
       "SLUICECTL_TLS_CERT"},
      {"--tls-key",
       "FILE",
       "Private key of --tls-cert, PEM",
       &options->tls_key,
       {},
       false,
       "SLUICECTL_TLS_KEY"},
      {"--tls-ca",
       "FILE",
       "Certificates the controller's must lead to, PEM",
       &options->tls_ca,
       {},
       false,
       "SLUICECTL_TLS_CA"},
      {"--token-file",
       "FILE",
       "A token of 'token create --role', in place of --tls-cert and --tls-key",
       &options->token_file,
       {},
       false,
       "SLUICECTL_TOKEN_FILE"},
      {"--no-color",
       "",
       "No colours on a terminal (also: NO_COLOR)",
       &options->no_color,
       {},
       false,
       "SLUICECTL_NO_COLOR"},
      {"--context",
       "FILE",
       "YAML with controller, insecure, tls_cert, tls_key, tls_ca, token_file, output, no_color "
       "(default ~/.config/sluice/context.yaml if present)",
       &options->context,
       {},
       false,
       "SLUICECTL_CONTEXT"},
      {"--request-timeout",
       "DURATION",
       "How long a call that answers at once may take (default 10s)",
       &options->request_timeout,
       {},
       false,
       "SLUICECTL_REQUEST_TIMEOUT"},
  };
}

absl::Status ApplyContext(GlobalOptions* options) {
  const bool named = !options->context.empty();
  const std::string path = named ? options->context : DefaultContextPath();
  std::error_code ignored;
  if (named || (!path.empty() && std::filesystem::exists(path, ignored))) {
    RETURN_IF_ERROR(ReadContext(path, options));
  }
  if (!options->has_credentials()) {
    if (const std::string local = LocalContextPath(); !local.empty()) {
      RETURN_IF_ERROR(ReadContext(local, options));
    }
  }
  if (options->controller.empty()) options->controller = kDefaultController;
  if (options->output.empty()) options->output = "table";
  return absl::OkStatus();
}

}  // namespace sluice::sluicectl
