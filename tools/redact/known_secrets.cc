#include "tools/redact/known_secrets.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tools/redact/redact.h"
#include "tools/redact/secret_names.h"

namespace sluice::redact {
namespace {

constexpr int kDepthMax = 100;           // Aliases may lead round in circles,
constexpr size_t kNodesMax = 4'000'000;  // or multiply.
constexpr size_t kWordBytesMin = 8;

// As a word of a longer secret: "Bearer" is none, "x7Kd02mm" is.
bool LooksSecret(const std::string& word) {
  return word.size() >= kWordBytesMin && std::any_of(word.begin(), word.end(), IsDigit);
}

std::string ScalarAt(const YAML::Node& map, bool (*wanted)(std::string_view)) {
  for (const auto& entry : map) {
    if (entry.first.IsScalar() && entry.second.IsScalar() && wanted(entry.first.Scalar())) {
      return entry.second.Scalar();
    }
  }
  return "";
}

}  // namespace

void KnownSecrets::Learn(const std::string& yaml) {
  nodes_left_ = kNodesMax;
  try {
    for (const YAML::Node& root : YAML::LoadAll(yaml)) Walk(root, false, 0);
  } catch (const YAML::Exception&) {  // What was learnt stays.
  }
}

void KnownSecrets::Walk(const YAML::Node& node, bool secret, int depth) {
  if (depth > kDepthMax || nodes_left_ == 0) return;
  --nodes_left_;
  if (node.IsScalar()) return secret ? AddValue(node.Scalar()) : LearnText(node.Scalar(), depth);
  if (node.IsSequence()) {
    for (const YAML::Node& item : node) Walk(item, secret, depth + 1);
    return;
  }
  if (!node.IsMap()) return;
  const bool named = IsSecretName(ScalarAt(node, IsKeyOfName));
  for (const auto& entry : node) {
    const YAML::Node& value = entry.second;
    const std::string name = entry.first.IsScalar() ? entry.first.Scalar() : "";
    const Secrecy secrecy = SecrecyOf(name);
    // Of `auth: {user: ann}` the members are judged by themselves.
    const bool holds = secrecy == Secrecy::kAll ||
                       (secrecy == Secrecy::kScalar && !value.IsMap()) ||
                       (named && IsKeyOfValue(name));
    Walk(value, secret || holds, depth + 1);
  }
}

// "X-Api-Key: x", or JSON in a string.
void KnownSecrets::LearnText(const std::string& text, int depth) {
  const size_t colon = text.find(':');
  if (colon == std::string::npos) return;
  const bool is_field =
      std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon), IsNameByte);
  if (is_field && IsSecretName(text.substr(0, colon))) {
    const size_t value = text.find_first_not_of(" \t", colon + 1);
    if (value != std::string::npos) AddValue(text.substr(value));
  }
  const Json json = text[0] == '{' || text[0] == '[' ? Json::parse(text, nullptr, false) : Json();
  if (!json.is_structured()) return;
  try {
    Walk(YAML::Load(text), false, depth + 1);
  } catch (const YAML::Exception&) {
  }
}

// Also its lines and what of its words looks secret: elsewhere they may stand alone.
void KnownSecrets::AddValue(const std::string& value) {
  Add(value);
  std::istringstream lines(value);
  for (std::string line; std::getline(lines, line);) Add(line);
  std::istringstream words(value);
  for (std::string word; words >> word;) {
    if (LooksSecret(word)) Add(word);
  }
}

void KnownSecrets::Add(const std::string& secret) {
  const size_t begin = secret.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return;
  const std::string text = secret.substr(begin, secret.find_last_not_of(" \t\r\n") + 1 - begin);
  if (text.size() < kBytesMin || text == kRedacted) return;
  // As JSON, YAML and our own output write it between quotes.
  const std::string json = Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string doubled;
  for (const char c : text) doubled.append(c == '\'' ? 2 : 1, c);
  for (const std::string& form : {text, json.substr(1, json.size() - 2), doubled}) {
    std::vector<std::string>& same = secrets_[form.substr(0, kBytesMin)];
    if (std::find(same.begin(), same.end(), form) != same.end()) continue;
    same.insert(std::find_if(same.begin(), same.end(),
                             [&](const std::string& other) { return other.size() < form.size(); }),
                form);
  }
}

std::string KnownSecrets::Without(std::string_view text) const {
  if (secrets_.empty()) return std::string(text);
  std::string out;
  std::string prefix;
  for (size_t i = 0; i < text.size();) {
    prefix.assign(text.substr(i, kBytesMin));
    size_t length = 0;
    if (const auto found = secrets_.find(prefix); found != secrets_.end()) {
      for (const std::string& secret : found->second) {
        if (text.substr(i, secret.size()) != secret) continue;
        length = secret.size();
        break;
      }
    }
    if (length == 0) {
      out += text[i++];
    } else {
      out.append(kRedacted);
      i += length;
    }
  }
  return out;
}

void KnownSecrets::RemoveFrom(Json* value) const {
  if (value->is_string()) {
    *value = Without(value->get_ref<const std::string&>());
  } else if (value->is_array()) {
    for (Json& item : *value) RemoveFrom(&item);
  } else if (value->is_object()) {
    Json object = Json::object();
    for (auto& [key, member] : value->items()) {
      RemoveFrom(&member);
      object[Without(key)] = std::move(member);
    }
    *value = std::move(object);
  }
}

}  // namespace sluice::redact
