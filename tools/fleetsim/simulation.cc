#include "tools/fleetsim/simulation.h"

#include <fmt/format.h>

#include <boost/asio/packaged_task.hpp>
#include <boost/asio/post.hpp>
#include <future>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/status_macros.h"

namespace sluice::fleetsim {
namespace {

constexpr size_t kPemBytesMax = 1 << 20;
constexpr std::chrono::milliseconds kLookAgain{50};

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> CredentialsOf(const SimOptions& options) {
  if (options.insecure) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions tls;
  ASSIGN_OR_RETURN(tls.pem_root_certs, base::ReadFile(options.tls_ca, kPemBytesMax));
  ASSIGN_OR_RETURN(tls.pem_private_key, base::ReadFile(options.tls_key, kPemBytesMax));
  ASSIGN_OR_RETURN(tls.pem_cert_chain, base::ReadFile(options.tls_cert, kPemBytesMax));
  return grpc::SslCredentials(tls);
}

// As the proxy's: a connection for every stream, pings when it is quiet.
std::shared_ptr<grpc::Channel> ChannelTo(
    const std::string& address, const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
  constexpr int kKeepaliveMs = 10'000;
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveMs / 2);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(address, credentials, arguments);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Simulation>> Simulation::Make(const SimOptions& options) {
  ASSIGN_OR_RETURN(auto credentials, CredentialsOf(options));
  return std::unique_ptr<Simulation>(new Simulation(options, std::move(credentials)));
}

Simulation::Simulation(const SimOptions& options,
                       std::shared_ptr<grpc::ChannelCredentials> credentials)
    : options_(options),
      conduct_(DealConduct(options)),
      observer_(conduct_, base::UnixMicros()),
      make_channel_([credentials = std::move(credentials)](const std::string& address) {
        return ChannelTo(address, credentials);
      }) {
  for (int i = 0; i < options.threads; ++i) loops_.push_back(std::make_unique<Loop>());
  for (size_t i = 0; i < conduct_.size(); ++i) AddNode(static_cast<int>(i), conduct_[i]);
}

void Simulation::AddNode(int index, Conduct conduct) {
  SimIdentity identity;
  identity.index = index;
  identity.node_id = fmt::format("{}{:05}", options_.node_prefix, index);
  char boot[16];
  base::FillRandom(boot, sizeof boot);
  identity.boot_id = base::HexEncode({boot, sizeof boot});
  identity.labels = LabelsOf(options_, index);
  // Seeds of neighbours must not give neighbouring numbers: Random mixes them.
  const uint64_t seed = (static_cast<uint64_t>(options_.seed) << 32) + 2 * nodes_.size();
  nodes_.push_back(
      std::make_shared<SimNode>(LoopOf(nodes_.size()).context,
                                Protocol(std::move(identity), conduct, options_, pool_, observer_),
                                options_, make_channel_, seed));
}

void Simulation::Start() {
  for (const auto& loop : loops_) {
    loop->thread = std::thread([&context = loop->context] { context.run(); });
  }
  if (!options_.warm) return StartNodes(0);
  boost::asio::post(LoopOf(0).context, [this] {
    nodes_[0]->Start(std::chrono::milliseconds(0));
    first_timer_ = std::make_unique<boost::asio::steady_timer>(LoopOf(0).context);
    AwaitFirst();
  });
}

void Simulation::StartNodes(size_t first) {
  const double spread = static_cast<double>(options_.connect_over.count());
  for (size_t i = first; i < nodes_.size(); ++i) {
    const std::chrono::milliseconds delay(
        static_cast<int64_t>(spread * static_cast<double>(i) / static_cast<double>(nodes_.size())));
    boost::asio::post(LoopOf(i).context, [node = nodes_[i], delay] { node->Start(delay); });
  }
}

void Simulation::AwaitFirst() {
  const Protocol& first = nodes_[0]->protocol();
  if (!first.snapshot()->root.empty()) {
    StartOthersWith(first.snapshot(), first.version());
    return;
  }
  first_timer_->expires_after(kLookAgain);
  first_timer_->async_wait([this](const boost::system::error_code& error) {
    if (!error) AwaitFirst();
  });
}

void Simulation::StartOthersWith(const SnapshotPtr& snapshot, const v1::Version& version) {
  for (size_t i = 1; i < nodes_.size(); ++i) {
    boost::asio::post(LoopOf(i).context, [node = nodes_[i], snapshot, version] {
      node->protocol().StartWith(snapshot, version);
    });
  }
  StartNodes(1);
}

Simulation::~Simulation() {
  if (!loops_.front()->thread.joinable()) return;  // It was never started.
  boost::asio::post(LoopOf(0).context, [this] { first_timer_.reset(); });
  for (size_t i = 0; i < nodes_.size(); ++i) {
    boost::asio::post(LoopOf(i).context, [node = nodes_[i]] { node->Stop(); });
  }
  // A stream's last word comes over its loop.
  for (size_t i = 0; i < nodes_.size(); ++i) {
    for (bool gone = false; !gone; std::this_thread::sleep_for(std::chrono::milliseconds(1))) {
      gone =
          boost::asio::post(LoopOf(i).context,
                            std::packaged_task<bool()>([node = nodes_[i]] { return node->gone(); }))
              .get();
      if (gone) break;
    }
  }
  for (const auto& loop : loops_) {
    loop->work.reset();
    loop->thread.join();
  }
}

}  // namespace sluice::fleetsim
