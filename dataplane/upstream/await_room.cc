#include "dataplane/upstream/await_room.h"

namespace sluice::upstream {

using http::Failure;

io::Task<Failure> AwaitRoom(io::Reactor& reactor, RoomWanted room, Cluster::Load* load,
                            int* endpoint) {
  Cluster& cluster = room.cluster;
  observe::ClusterStats& stats = cluster.stats();
  *endpoint = Cluster::kNoEndpoint;
  Admission::Place place(*cluster.spec().admission, reactor);
  if (!place.valid()) {
    stats.overflows_total.Add();
    co_return Failure::kUpstreamOverflow;
  }
  reactor.timers().Arm(room.timer, room.limit);
  stats.requests_pending.Add();
  Failure failure = Failure::kNone;
  for (bool my_turn = place.first();; my_turn = true) {
    if (my_turn) {
      *endpoint = cluster.Enter(room.wanted, true, load);
      if (*endpoint >= 0) break;
      if (*endpoint == Cluster::kNoEndpoint) {
        failure = Failure::kNoEndpoint;
        break;
      }
      place.Again();
    }
    io::Wait wait;
    wait.On(place.turn()).Until(room.timer).Hangup(room.client);
    const io::Wake wake = co_await wait;
    if (wake == io::Wake::kSignal) continue;
    failure = wake == io::Wake::kTimeout ? Failure::kUpstreamOverflow : Failure::kClientGone;
    if (wake == io::Wake::kTimeout) stats.overflows_total.Add();
    *endpoint = Cluster::kNoEndpoint;
    break;
  }
  stats.requests_pending.Sub();
  co_return failure;
}

}  // namespace sluice::upstream
