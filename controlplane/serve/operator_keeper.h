// Renews the credential of this machine's operator when it is time, on a thread of its own.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "controlplane/trust/own_trust.h"

namespace sluice::serve {

class OperatorKeeper {
 public:
  // `own` must outlive it.
  explicit OperatorKeeper(const trust::OwnTrust& own);
  ~OperatorKeeper();

 private:
  void Keeping();

  const trust::OwnTrust& own_;
  std::mutex mutex_;  // Guards what follows.
  std::condition_variable stopped_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace sluice::serve
