// Follows the fleet's status on a thread of its own, through every outage of the controller.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "common/base/file.h"
#include "sluice/v1/admin_service.pb.h"
#include "tools/sluicectl/controller_client.h"

namespace sluice::sluicectl {

class FleetWatch {
 public:
  // The thread takes no signals: they are the main thread's.
  static absl::StatusOr<std::unique_ptr<FleetWatch>> Start(
      std::unique_ptr<ControllerClient> client);
  ~FleetWatch();  // Waits for the thread, 100 ms or so.
  FleetWatch(const FleetWatch&) = delete;
  FleetWatch& operator=(const FleetWatch&) = delete;

  struct News {
    std::optional<v1::FleetStatus> status;    // The newest.
    std::optional<std::string> disconnected;  // Why; after the status if both are set.
    absl::Status refused;  // Not OK: it is of no use to ask again, nothing more comes.
  };
  // What has come since the last call.
  News Take();
  // Readable whenever there is news.
  int fd() const { return wake_.get(); }

 private:
  FleetWatch(std::unique_ptr<ControllerClient> client, base::UniqueFd wake);
  void Run();
  bool Wanted();
  void Tell(News news);

  const std::unique_ptr<ControllerClient> client_;  // Only the thread's.
  const base::UniqueFd wake_;
  std::mutex mutex_;  // Guards what follows.
  std::condition_variable stopped_;
  bool stopping_ = false;
  News news_;
  std::thread thread_;
};

}  // namespace sluice::sluicectl
