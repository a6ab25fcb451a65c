#include "tools/redact/redact.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/redact/forms.h"
#include "tools/redact/lines.h"
#include "tools/redact/secret_names.h"

namespace sluice::redact {
namespace {

// `"hash_on": "cookie:sid"` names a cookie and holds none.
bool NamesOnly(std::string_view key, const Json& member) {
  if (!IsKeyOfNamesOnly(key) || !member.is_string()) return false;
  const auto& text = member.get_ref<const std::string&>();
  return std::all_of(text.begin(), text.end(), [](char c) { return IsNameByte(c) || c == ':'; });
}

}  // namespace

std::string RedactText(std::string_view text) {
  return WithoutCredentialForms(WithoutSecretValues(WithoutLongForms(text)));
}

void RedactJson(Json* value) {
  if (value->is_string()) {
    *value = RedactText(value->get_ref<const std::string&>());
    return;
  }
  if (!value->is_structured()) return;
  bool name_was_secret = false;
  if (value->is_object()) {
    for (const auto& [key, member] : value->items()) {
      name_was_secret |= IsKeyOfName(key) && member.is_string() &&
                         IsSecretName(member.get_ref<const std::string&>());
    }
  }
  const bool named = value->is_object();  // An array's keys are numbers.
  for (const auto& [key, member] : value->items()) {
    const Secrecy secrecy = named ? SecrecyOf(key) : Secrecy::kNone;
    const bool secret = secrecy == Secrecy::kAll ||
                        (secrecy == Secrecy::kScalar && !member.is_structured()) ||
                        (named && name_was_secret && IsKeyOfValue(key));
    if (secret) {
      member = std::string(kRedacted);
    } else if (!named || !NamesOnly(key, member)) {
      RedactJson(&member);
    }
  }
}

}  // namespace sluice::redact
