#include <benchmark/benchmark.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/check.h"
#include "dataplane/upstream/pool.h"

namespace sluice::upstream {
namespace {

void TakeAndPut(benchmark::State& state) {
  int ends[2];
  SLUICE_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
  io::Reactor reactor;
  observe::ClusterStats stats;
  Pool pool;
  const PoolLimits limits{.idle_timeout = io::Millis(60'000), .idle_max = 8, .requests_max = 0};
  auto connection = std::make_unique<Connection>(reactor, stats);
  SLUICE_CHECK(connection->stream().socket().Open(reactor, ends[0]));
  pool.Put(std::move(connection), limits, io::Millis(0));
  for (auto _ : state) {
    connection = pool.Take();
    pool.Put(std::move(connection), limits, io::Millis(0));
  }
  close(ends[1]);
}
BENCHMARK(TakeAndPut);

}  // namespace
}  // namespace sluice::upstream
