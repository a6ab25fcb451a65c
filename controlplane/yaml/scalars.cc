// The spellings of numbers, durations and flags.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <limits>
#include <vector>

#include "common/base/nearest.h"
#include "controlplane/yaml/block_reader.h"
#include "controlplane/yaml/checks.h"

namespace sluice::yaml {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool AllDigits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsDigit);
}

struct Unit {
  std::string_view word;
  int64_t milliseconds;
};
constexpr Unit kUnits[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};

// Digits, at most six after a point; in millionths. False when there are none, or too many.
bool TakeDecimal(std::string_view* text, int64_t* millionths) {
  size_t digits = 0;
  int64_t whole = 0;
  while (digits < text->size() && IsDigit((*text)[digits])) {
    if (digits >= 12) return false;
    whole = whole * 10 + ((*text)[digits++] - '0');
  }
  if (digits == 0) return false;
  text->remove_prefix(digits);
  int64_t fraction = 0;
  if (text->starts_with('.')) {
    text->remove_prefix(1);
    int64_t worth = 100'000;
    size_t places = 0;
    while (!text->empty() && IsDigit(text->front())) {
      if (worth == 0) return false;
      fraction += worth * (text->front() - '0');
      worth /= 10;
      ++places;
      text->remove_prefix(1);
    }
    if (places == 0) return false;
  }
  *millionths = whole * 1'000'000 + fraction;
  return true;
}

const Unit* TakeUnit(std::string_view* text) {
  for (const Unit& unit : kUnits) {
    if (!text->starts_with(unit.word)) continue;
    text->remove_prefix(unit.word.size());
    return &unit;
  }
  return nullptr;
}

// Without a fraction.
std::string InLargestUnit(int64_t milliseconds) {
  const auto unit = std::find_if(std::rbegin(kUnits), std::rend(kUnits), [&](const Unit& one) {
    return milliseconds % one.milliseconds == 0;
  });
  return fmt::format("{}{}", milliseconds / unit->milliseconds, unit->word);
}

// Digits in groups ("1_000", "1,000") as one number.
std::string WithoutSeparators(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c != '_' && c != ',') digits += c;
  }
  return AllDigits(digits) ? digits : std::string();
}

std::string ParseInteger(std::string_view text, int64_t min, int64_t max, int64_t* value) {
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (!AllDigits(digits)) {
    if (const std::string joined = WithoutSeparators(text); !joined.empty()) {
      return fmt::format("{} is not a whole number; write {}", Quoted(text), joined);
    }
    return fmt::format("{} is not a whole number; write it in decimal digits", Quoted(text));
  }
  if (digits.size() > 1 && digits.front() == '0') {
    const size_t significant = std::min(digits.find_first_not_of('0'), digits.size() - 1);
    return fmt::format("{} begins with a zero, which some read as octal; write {}", Quoted(text),
                       Quoted(digits.substr(significant)));
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  const bool fits = error == std::errc() && end == text.data() + text.size();
  if (!fits || *value < min || *value > max) {
    if (max == std::numeric_limits<int64_t>::max()) {
      return fmt::format("{} is out of range; give {} or more", Quoted(text), min);
    }
    return fmt::format("{} is out of range; give {} to {}", Quoted(text), min, max);
  }
  return {};
}

std::string ParseRatio(std::string_view text, int64_t* millionths) {
  std::string_view rest = text;
  if (TakeDecimal(&rest, millionths) && rest.empty() && *millionths <= 1'000'000) return {};
  if (rest == "%" && *millionths <= 100'000'000) {
    return fmt::format("{} is no ratio; write it as a number from 0 to 1: {}", Quoted(text),
                       static_cast<double>(*millionths) / 100'000'000);
  }
  return fmt::format("{} is no ratio; write a number from 0 to 1, such as 0.05", Quoted(text));
}

std::string ParseFlag(std::string_view text, int64_t* value) {
  *value = text == "true" ? 1 : 0;
  if (text == "true" || text == "false") return {};
  constexpr std::string_view kYes[] = {"yes", "on", "y", "1", "enabled"};
  constexpr std::string_view kNo[] = {"no", "off", "n", "0", "disabled"};
  const std::string lower = LowerCase(text.substr(0, 16));
  if (lower == "true" || std::find(std::begin(kYes), std::end(kYes), lower) != std::end(kYes)) {
    return fmt::format("{} is not a flag; write true", Quoted(text));
  }
  if (lower == "false" || std::find(std::begin(kNo), std::end(kNo), lower) != std::end(kNo)) {
    return fmt::format("{} is not a flag; write false", Quoted(text));
  }
  return fmt::format("{} is not a flag; write true or false", Quoted(text));
}

std::string CheckDuration(const Key& key, std::string_view text, int64_t* milliseconds) {
  *milliseconds = ParseDuration(text);
  if (*milliseconds < 0) {
    if (AllDigits(text) && text.size() < 12) {
      return fmt::format("{} has no unit; write {}s or {}ms", Quoted(text), text, text);
    }
    return fmt::format("{} is not a duration; write it like 250ms, 5s, 1m30s or 1h", Quoted(text));
  }
  if (*milliseconds >= key.min && *milliseconds <= key.max) return {};
  return fmt::format("{} is out of range; give {}ms to {}", Quoted(text), key.min,
                     InLargestUnit(key.max));
}

std::string ChooseWord(const Key& key, std::string_view text, int64_t* number) {
  std::vector<std::string_view> words;
  std::string all;
  for (const Choice& choice : key.choices) {
    if (choice.word == text) {
      *number = choice.number;
      return {};
    }
    words.push_back(choice.word);
    const bool last = words.size() == key.choices.size();
    all += fmt::format("{}{}", words.size() == 1 ? "" : last ? " or " : ", ", choice.word);
  }
  const std::string_view nearest = text.size() > 64 ? "" : base::NearestWord(text, words);
  if (!nearest.empty()) {
    return fmt::format("{} is not known here; did you mean '{}'?", Quoted(text), nearest);
  }
  return fmt::format("{} is not known here; use {}", Quoted(text), all);
}

}  // namespace

int64_t ParseDuration(std::string_view text) {
  // Each part is at most 10^12 hours in millionths: summed up as wide integers.
  __extension__ using Wide = __int128;
  Wide total = 0;
  if (text.empty()) return -1;
  while (!text.empty()) {
    int64_t millionths = 0;
    if (!TakeDecimal(&text, &millionths)) return -1;
    const Unit* unit = TakeUnit(&text);
    if (unit == nullptr) return -1;
    total += Wide{millionths} * unit->milliseconds;
    if (total > Wide{std::numeric_limits<int64_t>::max()}) return -1;
  }
  if (total % 1'000'000 != 0) return -1;  // Finer than a millisecond.
  return static_cast<int64_t>(total / 1'000'000);
}

std::string ParseWord(const Key& key, std::string_view text, int64_t* number) {
  switch (key.kind) {
    case KeyKind::kFlag: {
      std::string wrong = ParseFlag(text, number);
      if (key.inverted) *number = 1 - *number;
      return wrong;
    }
    case KeyKind::kInteger: {
      std::string wrong = ParseInteger(text, key.min, key.max, number);
      if (wrong.empty()) *number *= key.scale;
      return wrong;
    }
    case KeyKind::kRatio:
      return ParseRatio(text, number);
    case KeyKind::kDuration:
      return CheckDuration(key, text, number);
    case KeyKind::kChoice:
      return ChooseWord(key, text, number);
    default:
      return key.check == nullptr ? std::string() : key.check(text);
  }
}

}  // namespace sluice::yaml
