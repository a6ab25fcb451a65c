// Secrets that a document was seen to hold, and their removal wherever else they are.
//
// redact.h goes by what text looks like. This goes by what it means: however a document writes a
// secret (folded, quoted, by an alias), its value is found, in every text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tools/redact/redact.h"

namespace YAML {
class Node;
}

namespace sluice::redact {

class KnownSecrets {
 public:
  // Shorter ones are taken out by their place alone: they would be found in every other word.
  static constexpr size_t kBytesMin = 6;

  // Every value under a secret name (secret_names.h) in a YAML document. Of one that is no YAML
  // nothing is learnt.
  void Learn(const std::string& yaml);

  std::string Without(std::string_view text) const;
  // In keys and strings.
  void RemoveFrom(Json* value) const;

 private:
  void Walk(const YAML::Node& node, bool secret, int depth);
  void LearnText(const std::string& text, int depth);
  void AddValue(const std::string& value);
  void Add(const std::string& secret);

  size_t nodes_left_ = 0;
  // By their first kBytesMin bytes; the longest first.
  std::unordered_map<std::string, std::vector<std::string>> secrets_;
};

}  // namespace sluice::redact
