#include "dataplane/control/query.h"

#include <algorithm>
#include <optional>

#include "common/base/hash.h"

namespace sluice::control {
namespace {

std::string Unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    std::optional<std::string> byte;
    if (text[i] == '%' && i + 2 < text.size()) byte = base::HexDecode(text.substr(i + 1, 2));
    if (byte.has_value()) {
      out += *byte;
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

}  // namespace

QueryValues ParseQuery(std::string_view query) {
  QueryValues values;
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view item = query.substr(0, end);
    const size_t equals = std::min(item.find('='), item.size());
    if (!item.empty()) {
      values.emplace(Unescape(item.substr(0, equals)),
                     Unescape(item.substr(std::min(equals + 1, item.size()))));
    }
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return values;
}

std::string ValueOf(const QueryValues& values, std::string_view key, std::string_view otherwise) {
  const auto found = values.find(key);
  return found == values.end() || found->second.empty() ? std::string(otherwise) : found->second;
}

}  // namespace sluice::control
