// After a handover the process that drains tells its successor what it still does, and the
// successor adds that to its own figures: to the controller both are one node, and nothing of it is
// invisible.
//
// Each message is what has grown since the one before, so that whoever reads the channel next goes
// on without a gap: a successor that is replaced in its turn hands its channels on.
//
// Control thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "dataplane/restart/handover_channel.h"
#include "sluice/v1/control_service.pb.h"

namespace sluice::restart {

// The draining process's end.
class DrainTeller {
 public:
  static constexpr std::chrono::milliseconds kInterval{500};
  // What the process has done since its start, and its open connections.
  using Totals = std::function<v1::HandoverFigures()>;

  // Tells of what is done from now on. `context` must outlive it.
  DrainTeller(boost::asio::io_context& context, HandoverChannel channel, Totals totals);
  DrainTeller(const DrainTeller&) = delete;
  DrainTeller& operator=(const DrainTeller&) = delete;

  // Besides each kInterval: at the end, for example. What does not arrive is told the next time.
  void Tell();

 private:
  void Wait();

  HandoverChannel channel_;
  const Totals totals_;
  v1::HandoverFigures told_;
  boost::asio::steady_timer timer_;
};

// The successor's end of one or more.
class DrainingPredecessors {
 public:
  // `context` must outlive it.
  explicit DrainingPredecessors(boost::asio::io_context& context) : context_(context) {}
  DrainingPredecessors(const DrainingPredecessors&) = delete;
  DrainingPredecessors& operator=(const DrainingPredecessors&) = delete;

  // Until the process at its other end has ended; what it did stays counted.
  void Follow(HandoverChannel channel);
  // To hand on; followed here until StopFollowing.
  std::vector<base::UniqueFd> CopyChannels() const;
  void StopFollowing() { followed_.clear(); }

  size_t processes() const { return followed_.size(); }
  uint32_t connections() const;
  // Adds what they did since they were followed to the same figures of this process, and says how
  // many they are.
  void AddTo(v1::Report* report) const;

 private:
  struct Followed {
    Followed(boost::asio::io_context& context, HandoverChannel channel);
    HandoverChannel channel;
    boost::asio::posix::stream_descriptor readable;  // A copy of the channel's, to wait with.
    uint32_t connections = 0;
  };
  using Iterator = std::list<Followed>::iterator;
  void Await(Iterator followed);
  void OnReadable(Iterator followed);

  boost::asio::io_context& context_;
  std::list<Followed> followed_;
  v1::HandoverFigures sum_;
};

}  // namespace sluice::restart
