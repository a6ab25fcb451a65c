#include "controlplane/publish/node_recorder.h"

#include <vector>

#include "common/base/log.h"

namespace sluice::publish {

NodeRecorder::NodeRecorder(store::VersionStore& store)
    : store_(store), thread_([this] { Writing(); }) {}

NodeRecorder::~NodeRecorder() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void NodeRecorder::See(const std::string& node_id, std::string hello, int64_t now_unix_ms) {
  {
    const std::lock_guard lock(mutex_);
    store::KnownNode& node = seen_[node_id];
    node.node_id = node_id;
    node.hello = std::move(hello);
    node.last_seen_unix_ms = now_unix_ms;
  }
  changed_.notify_all();
}

void NodeRecorder::Forget(const std::string& node_id) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !writing_; });
  seen_.erase(node_id);
}

// Nodes that come while others are written go together in the next round.
void NodeRecorder::Writing() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return !seen_.empty() || stopping_; });
    if (seen_.empty()) return;
    std::vector<store::KnownNode> nodes;
    for (auto& [id, node] : seen_) nodes.push_back(std::move(node));
    seen_.clear();
    writing_ = true;
    lock.unlock();
    if (const absl::Status status = store_.SeeNodes(nodes); !status.ok()) {
      base::LogError("{}", std::string(status.message()));
    }
    lock.lock();
    writing_ = false;
    changed_.notify_all();
  }
}

}  // namespace sluice::publish
