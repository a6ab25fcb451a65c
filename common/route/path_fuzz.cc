// Any bytes after a "/": the result is refused or a clean fixed point.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/check.h"
#include "common/route/path.h"

namespace {

using sluice::route::NormalizedPath;
using sluice::route::NormalizePath;
using sluice::route::PathError;

void CheckClean(std::string_view path) {
  SLUICE_CHECK(path.starts_with('/'));
  for (const char c : path) SLUICE_CHECK(c > 0x20 && c < 0x7F && c != '\\' && c != '?' && c != '#');
  for (size_t begin = 1; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view segment = path.substr(begin, end - begin);
    SLUICE_CHECK(!segment.empty() || end == path.size());
    const std::string_view name = segment.substr(0, segment.find(';'));
    SLUICE_CHECK(name != "." && name != "..");
    SLUICE_CHECK(!name.empty() || segment.empty());
    begin = end + 1;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string path = "/" + std::string(reinterpret_cast<const char*>(data), size);
  std::string scratch;
  std::string_view out;
  const NormalizedPath first = NormalizePath(path, &scratch, &out);
  if (first.error != PathError::kNone) {
    SLUICE_CHECK(out.empty() && !Describe(first.error).empty());
    return 0;
  }
  CheckClean(out);
  SLUICE_CHECK(out.size() <= path.size());
  SLUICE_CHECK(first.has_encoded_slash == (out.find("%2F") != std::string_view::npos));

  std::string second_scratch;
  std::string_view again;
  const NormalizedPath second = NormalizePath(out, &second_scratch, &again);
  SLUICE_CHECK(second.error == PathError::kNone && again == out);
  return 0;
}
