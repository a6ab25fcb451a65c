// What a report of a problem needs, gathered from the controller and its nodes, without secrets.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/sluicectl/controller_client.h"
#include "tools/sluicectl/tar_gz.h"

namespace sluice::sluicectl {

struct BundleOptions {
  std::string folder;              // In which all files of the archive are.
  std::vector<std::string> nodes;  // Whose dumps are taken; empty: those in trouble, then others.
  uint64_t nodes_max = 20;         // Of the latter.
};

struct Bundle {
  std::vector<ArchiveFile> files;
  std::vector<std::string> missing;  // What could not be had, and why.
};

// `status` is the fleet's, of all nodes. What fails is noted and left out. Every file has been
// through tools/redact, and what the current document holds under secret names is in none.
Bundle CollectBundle(ControllerClient& client, const v1::FleetStatus& status,
                     const BundleOptions& options, int64_t now_unix_ms);

// A file name that is safe everywhere: letters, digits, '.', '_', '-'; never hidden.
std::string SafeFileName(const std::string& text);

}  // namespace sluice::sluicectl
