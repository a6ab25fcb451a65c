#include "controlplane/source/source_tree.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>
#include <vector>

#include "common/base/file.h"
#include "common/base/status_macros.h"

namespace sluice::source {
namespace {

// More files than anyone keeps in one directory by hand.
constexpr size_t kFilesMax = 10'000;

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};
using DirectoryPtr = std::unique_ptr<DIR, CloseDirectory>;

absl::StatusOr<std::vector<std::string>> YamlFilesIn(const std::string& folder) {
  const DirectoryPtr directory(opendir(folder.c_str()));
  if (directory == nullptr) return base::ErrnoStatus(errno, "open the directory " + folder);
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(directory.get());
    if (entry == nullptr) break;
    if (IsYamlName(entry->d_name)) names.emplace_back(entry->d_name);
    if (names.size() > kFilesMax) {
      return absl::ResourceExhaustedError(
          fmt::format("{} has more than {} YAML files; join some of them", folder, kFilesMax));
    }
  }
  if (errno != 0) return base::ErrnoStatus(errno, "read the directory " + folder);
  if (names.empty()) {
    return absl::NotFoundError(
        fmt::format("{} has no *.yaml or *.yml file; put the document there", folder));
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status AddFile(const std::string& path, size_t* bytes_left, v1::Document* document) {
  absl::StatusOr<std::string> content = base::ReadFile(path, *bytes_left);
  if (absl::IsResourceExhausted(content.status())) {
    return absl::ResourceExhaustedError(
        fmt::format("{}: the document is larger than {} MiB; is this the right file?", path,
                    kDocumentBytesMax / (1024 * 1024)));
  }
  if (!content.ok()) return content.status();
  *bytes_left -= content->size();
  v1::SourceFile& file = *document->add_files();
  file.set_path(path);
  file.set_content(*std::move(content));
  return absl::OkStatus();
}

}  // namespace

bool IsYamlName(std::string_view name) {
  return !name.starts_with('.') && !name.starts_with('#') &&
         (name.ends_with(".yaml") || name.ends_with(".yml"));
}

absl::StatusOr<v1::Document> ReadDocument(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return base::ErrnoStatus(errno, "read " + path);
  v1::Document document;
  size_t bytes_left = kDocumentBytesMax;
  if (!S_ISDIR(status.st_mode)) {
    RETURN_IF_ERROR(AddFile(path, &bytes_left, &document));
    return document;
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> names, YamlFilesIn(path));
  const std::string folder = path.ends_with('/') ? path : path + "/";
  for (const std::string& name : names) {
    RETURN_IF_ERROR(AddFile(folder + name, &bytes_left, &document));
  }
  return document;
}

}  // namespace sluice::source
