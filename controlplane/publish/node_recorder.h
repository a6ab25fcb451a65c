// Writes down which nodes were seen, a little later and many at a time.
//
// A write waits for the disk. After an outage thousands of nodes say Hello within seconds: one
// write each would hold them up, and whatever else the store is needed for. What is lost when the
// controller is killed within that moment the nodes say again.
//
// Thread-safe.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "controlplane/store/version_store.h"

namespace sluice::publish {

class NodeRecorder {
 public:
  // `store` must outlive it.
  explicit NodeRecorder(store::VersionStore& store);
  ~NodeRecorder();  // Writes what is left.

  // `hello`: serialised. Returns at once.
  void See(const std::string& node_id, std::string hello, int64_t now_unix_ms);
  // What was seen of the node is not written any more when this returns. The caller has it removed
  // from the store.
  void Forget(const std::string& node_id);

 private:
  void Writing();

  store::VersionStore& store_;
  std::mutex mutex_;  // Guards what follows.
  std::condition_variable changed_;
  std::map<std::string, store::KnownNode> seen_;  // Not yet written.
  bool writing_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace sluice::publish
