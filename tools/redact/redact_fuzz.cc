// Any bytes as a document, a log, or a string in one: nothing is lost but what is taken out, and
// lines stay where they are.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "common/base/check.h"
#include "tools/redact/redact.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::string redacted = sluice::redact::RedactText(text);
  SLUICE_CHECK(std::count(redacted.begin(), redacted.end(), '\n') ==
               std::count(text.begin(), text.end(), '\n'));

  sluice::redact::Json json = {{"name", text}, {"value", {text, "x"}}};
  sluice::redact::RedactJson(&json);
  SLUICE_CHECK(json.is_object());
  return 0;
}
