// Adds up what a preflight finds: of one worker, of a node's workers, of a fleet's nodes.
//
// Bounded, whatever is added: what differs most often is what one acts on, so there is room for
// kChangesMax kinds of change; of further ones only their number is kept. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "sluice/v1/preflight.pb.h"

namespace sluice::preflight {

// In Hello.features of a proxy that understands v1::Preflight.
inline constexpr std::string_view kFeature = "preflight";

struct Change {
  std::string_view service, route;
  v1::PreflightChange::Kind kind = v1::PreflightChange::NONE;
  std::string_view target;
};

class Tally {
 public:
  static constexpr size_t kChangesMax = 200;
  static constexpr size_t kExamplesMax = 3;  // Of each change.
  static constexpr size_t kTextMax = 200;    // Bytes; longer texts are cut.

  // A request that would be treated as it is.
  void AddSame() { ++requests_; }
  // One that would not. `make_example` is called, for a text, only where one is wanted still.
  template <typename MakeExample>
  void AddChanged(const Change& change, MakeExample make_example) {
    ++requests_;
    ++changed_;
    Entry* entry = Find(change);
    if (entry == nullptr) {
      ++unlisted_;
      return;
    }
    ++entry->requests;
    if (entry->examples.size() < kExamplesMax) AddExample(*entry, make_example());
  }
  // Another one's; may be a stranger's.
  void Merge(const v1::PreflightReport& report);

  // Without the root.
  v1::PreflightReport ToReport() const;

 private:
  struct Entry {
    std::string service, route, target;
    v1::PreflightChange::Kind kind;
    uint64_t requests = 0;
    std::vector<std::string> examples;
  };
  // Null: there is no room for another.
  Entry* Find(const Change& change);
  static void AddExample(Entry& entry, std::string_view example);

  uint64_t requests_ = 0, changed_ = 0, unlisted_ = 0;
  absl::flat_hash_map<std::string, Entry> entries_;
  std::string key_;  // Kept for its memory.
};

}  // namespace sluice::preflight
