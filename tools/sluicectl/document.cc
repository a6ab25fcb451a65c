#include "tools/sluicectl/document.h"

#include <filesystem>

#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "controlplane/build/snapshot_builder.h"
#include "controlplane/source/source_tree.h"

namespace sluice::sluicectl {
namespace {

namespace fs = std::filesystem;

constexpr size_t kReferencedBytesMax = 1024 * 1024;  // Of one file: no certificate is larger.

fs::path FolderOf(const std::string& path) {
  if (path == "-") return fs::path();
  std::error_code ignored;
  return fs::is_directory(path, ignored) ? fs::path(path) : fs::path(path).parent_path();
}

}  // namespace

absl::StatusOr<v1::Document> LoadDocument(const std::string& path, const Console& console) {
  if (path != "-") return source::ReadDocument(path);
  v1::Document document;
  ASSIGN_OR_RETURN(std::string content, console.read_in(source::kDocumentBytesMax));
  v1::SourceFile* file = document.add_files();
  file->set_path("<stdin>");
  file->set_content(std::move(content));
  return document;
}

absl::StatusOr<v1::Document> LoadWithReferenced(const std::string& path, const Console& console) {
  ASSIGN_OR_RETURN(v1::Document document, LoadDocument(path, console));
  const fs::path folder = FolderOf(path);
  for (const std::string& name : build::ReferencedPaths(document)) {
    auto content = base::ReadFile((folder / name).string(), kReferencedBytesMax);
    if (!content.ok()) continue;
    v1::SourceFile* file = document.add_referenced();
    file->set_path(name);
    file->set_content(*std::move(content));
  }
  return document;
}

}  // namespace sluice::sluicectl
