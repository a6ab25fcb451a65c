#include "controlplane/publish/labels.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/status_macros.h"

namespace sluice::publish {
namespace {

// As many and as long as a node's own.
constexpr size_t kLabelsMax = 64;
constexpr size_t kLabelBytesMax = 256;

bool IsWord(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

absl::Status ChangeOne(std::string_view word, std::map<std::string, std::string>* labels) {
  const size_t equals = word.find('=');
  const bool removes = equals == std::string_view::npos && word.ends_with('-');
  const std::string_view key = word.substr(0, removes ? word.size() - 1 : equals);
  if ((equals == std::string_view::npos && !removes) || key.empty() || !IsWord(word)) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' is no label: write key=value to set one, key- to take it away", word));
  }
  if (word.size() > kLabelBytesMax) {
    return absl::InvalidArgumentError(
        fmt::format("the label {} is longer than {} bytes", key, kLabelBytesMax));
  }
  if (removes) {
    labels->erase(std::string(key));
  } else {
    (*labels)[std::string(key)] = std::string(word.substr(equals + 1));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ChangeLabels(std::string_view words, std::map<std::string, std::string>* labels) {
  std::map<std::string, std::string> changed = *labels;
  while (!words.empty()) {
    const std::string_view word = words.substr(0, words.find(','));
    RETURN_IF_ERROR(ChangeOne(word, &changed));
    words.remove_prefix(std::min(words.size(), word.size() + 1));
  }
  if (changed.size() > kLabelsMax) {
    return absl::InvalidArgumentError(
        fmt::format("{} labels; at most {} can be set", changed.size(), kLabelsMax));
  }
  *labels = std::move(changed);
  return absl::OkStatus();
}

}  // namespace sluice::publish
