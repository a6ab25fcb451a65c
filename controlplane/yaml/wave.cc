#include "controlplane/yaml/wave.h"

#include <fmt/format.h>

#include <algorithm>

#include "controlplane/yaml/problems.h"

namespace sluice::yaml {
namespace {

constexpr size_t kDigitsMax = 6;

}  // namespace

std::optional<Wave> ParseWave(std::string_view text) {
  Wave wave;
  wave.percent = !text.empty() && text.back() == '%';
  if (wave.percent) text.remove_suffix(1);
  if (text.empty() || text.size() > kDigitsMax) return std::nullopt;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    wave.amount = wave.amount * 10 + static_cast<uint32_t>(c - '0');
  }
  if (wave.amount == 0 || (wave.percent && wave.amount > 100)) return std::nullopt;
  return wave;
}

std::string WaveProblem(std::string_view text) {
  if (ParseWave(text)) return "";
  return fmt::format("{} is no wave; write a number of nodes, like 1, or a share of them, like 10%",
                     Quoted(text));
}

std::string WavesProblem(const google::protobuf::RepeatedPtrField<std::string>& waves) {
  std::optional<Wave> last;
  std::string last_text;
  for (const std::string& text : waves) {
    const std::optional<Wave> wave = ParseWave(text);
    if (!wave) return WaveProblem(text);
    if (last && last->percent == wave->percent && wave->amount <= last->amount) {
      return fmt::format("{} after {}: each wave must reach more nodes than the one before",
                         Quoted(text), Quoted(last_text));
    }
    last = wave;
    last_text = text;
  }
  return "";
}

}  // namespace sluice::yaml
