// From a document to the resources of a snapshot, with every problem found on the way.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/snapshot/snapshot.h"
#include "sluice/v1/admin_service.pb.h"
#include "sluice/v1/rollout.pb.h"

namespace sluice::build {

// Where a resource, or a field of one, was written. Keys: "kind/name" and "kind/name#field.path"
// with the same field paths as v1::ResourceError.field; value "file:line:column".
using SourceMap = std::map<std::string, std::string>;

struct BuildResult {
  std::vector<v1::Problem> problems;  // Sorted by place; a build with an ERROR has no resources.
  snapshot::Resources resources;      // Sorted.
  std::string root;
  std::optional<v1::RolloutStrategy> rollout;  // Where the document has a block `rollout`.
  int tests_run = 0;
  bool ok() const;
};

struct BuildOptions {
  bool read_disk = true;  // Else only `document.referenced` is there.
  // Nothing in it is read, whatever the document names: its writers may do less than who runs the
  // controller. Empty: no folder.
  std::string private_folder;
  int64_t now_unix = 0;  // What certificates' expiry is judged by; 0: the clock.
};

// Reads, fills defaults, resolves references, validates, runs the document's `tests:`. Certificates
// and other files named in the YAML are taken from `document.referenced` when present there under
// that path, else read from disk (relative to the document's folder) by the controller. Never
// throws, never takes more than 256 MB whatever the document.
BuildResult BuildSnapshot(const v1::Document& document, const BuildOptions& options = {});

// Where everything in the document stands; empty where it cannot be read. What it refers to need
// not be there any more. For errors: it costs as much as reading the document.
SourceMap SourcesOf(const v1::Document& document);

// Fills `source` of each error from the map: the most specific place known.
void AttachSources(const SourceMap& sources, std::vector<v1::ResourceError>* errors);

// What `document` refers to by path and would have to be sent along by a client on another machine.
std::vector<std::string> ReferencedPaths(const v1::Document& document);

}  // namespace sluice::build
