// Hundreds of nodes, a clock that is moved by hand, and rollouts one after the other while nodes
// are lost, slow, lying, flapping and crashing, some of them of the release before, and the
// controller dies at any step. A service is placed on some of the nodes, and versions change that
// one or the one that is everywhere. The real fleet, protocol, encoding and waves; of the nodes
// only what the protocol sees.
//
// SLUICE_SEED=N replays one seed.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "common/base/random.h"
#include "common/snapshot/delta.h"
#include "controlplane/publish/fleet.h"
#include "controlplane/publish/testing_placed.h"
#include "controlplane/rollout/waves.h"
#include "controlplane/yaml/draft.h"

namespace sluice::rollout {
namespace {

using publish::Fleet;
using publish::RolloutPhase;
using publish::SharedMessage;

constexpr int64_t kStepMs = 500;
constexpr int64_t kReportMs = 1000;
constexpr int kSteps = 240;         // Two minutes of misbehaviour.
constexpr uint64_t kRequests = 10;  // Served by each node in a step.
constexpr uint64_t kSnapshotBytesMax = 1 << 20;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kSeeds = 200;
#else
constexpr int kSeeds = 3000;
#endif

// A version.
struct Content {
  std::string root;
  publish::SharedResources resources;
  // What its services answer.
  std::string everywhere = publish::testing::LongWord("at first"), edge = everywhere;
  bool poisoned = false;  // Half of what is served by the service that it changed fails.
};

struct Node {
  std::string id;
  bool edge = false;  // The service "edge" is placed on it.
  int boot = 1;
  uint64_t stream = 0;
  v1::Version version;
  snapshot::Resources resources;  // Of the version.
  v1::Offer offer;
  std::optional<snapshot::DeltaDecoder> decoder;  // While chunks of the offer are awaited.
  std::string prepared_root;
  snapshot::Resources prepared;
  publish::Traffic counters;
  std::deque<SharedMessage> inbox;
  int64_t silent_until_ms = 0;
  bool slow = false;          // Reads every third step only.
  bool liar = false;          // Says it is effective, and serves on what it had; its reports tell.
  bool takes_deltas = false;  // Of resources; the release before does not.
  std::set<std::string> refuses;

  std::string boot_id() const { return fmt::format("{}-{}", id, boot); }
};

class Simulation {
 public:
  explicit Simulation(uint64_t seed) : random_(seed) {
    const uint64_t many = random_.Below(20) == 0 ? 300 : 30;
    nodes_.resize(3 + random_.Below(many));
    for (size_t i = 0; i < nodes_.size(); ++i) {
      nodes_[i].id = fmt::format("n{:03}", i);
      nodes_[i].slow = random_.Below(10) == 0;
      nodes_[i].takes_deltas = random_.Below(4) > 0;
      nodes_[i].edge = random_.Below(3) == 0;
    }
    StartController();
    for (Node& node : nodes_) Connect(node);
    NewVersion(/*at_once=*/true);
  }

  void Run() {
    for (int i = 0; i < kSteps && !::testing::Test::HasFailure(); ++i) {
      Misbehave();
      if (random_.Below(40) == 0) KillController();
      if (!rolling() && random_.Below(8) == 0) NewVersion(false);
      if (rolling() && random_.Below(60) == 0) NewVersion(false);  // Takes its place.
      Step();
    }
    Heal();
    CheckEnd();
  }

  int deltas_taken() const { return deltas_taken_; }
  int deltas_back() const { return deltas_back_; }
  int resyncs() const { return resyncs_; }

 private:
  // --- The controller: what RolloutRunner and Controller do, with a store that is two strings.

  void StartController() {
    fleet_.emplace(
        publish::FleetOptions{.prepare_timeout_ms = 3000, .report_interval_ms = kReportMs},
        [this](const std::string& root) { return Load(root); },
        [this](uint64_t stream, SharedMessage message) { OnSent(stream, std::move(message)); });
    for (const Node& node : nodes_) fleet_->Remember(node.id, HelloOf(node), now_ms_);
    if (released_.revision() > 0) {
      fleet_->SetReleased(released_, contents_.at(released_.revision()).resources);
    }
    waves_.reset();
    v1::Rollout record;
    record.ParseFromString(stored_);
    if (!IsActive(record.state())) return;
    waves_.emplace(record, Time());
    fleet_->SetCandidate(record.version(), contents_.at(record.version().revision()).resources,
                         AudienceOf());
  }
  static v1::Hello HelloOf(const Node& node) {
    v1::Hello hello =
        publish::testing::HelloOf(node.id, node.boot_id(), node.version, node.takes_deltas);
    if (node.edge) (*hello.mutable_labels())["tier"] = "edge";
    return hello;
  }
  // Now and then a version has been pruned: a node that has it gets everything.
  publish::SharedResources Load(const std::string& root) {
    const auto found = std::find_if(contents_.begin(), contents_.end(),
                                    [&root](const auto& one) { return one.second.root == root; });
    return found == contents_.end() || random_.Below(10) == 0 ? nullptr : found->second.resources;
  }
  void KillController() {
    for (Node& node : nodes_) {
      node.stream = 0;
      node.inbox.clear();
    }
    streams_.clear();
    StartController();
  }
  bool rolling() const { return waves_ && waves_->active(); }
  Now Time() const { return {now_ms_, now_ms_}; }
  Fleet::Audience AudienceOf() const {
    const std::vector<std::string> reach = waves_->reach();
    return {reach.begin(), reach.end()};
  }

  void NewVersion(bool at_once) {
    if (fleet_->rollout().active()) return;
    at_once |= released_.revision() == 0;  // There is nothing to go back to.
    const std::string word = publish::testing::LongWord(fmt::format("word{}", ++revision_));
    const bool edge = random_.Below(2) == 0;  // Is what changes.
    const bool concerns_anybody =
        !edge || std::any_of(nodes_.begin(), nodes_.end(), [](const Node& n) { return n.edge; });
    const Content stable = contents_[released_.revision()];
    Content content{.everywhere = edge ? stable.everywhere : word,
                    .edge = edge ? word : stable.edge,
                    .poisoned = !at_once && concerns_anybody && random_.Below(3) == 0};
    content.resources = publish::testing::PlacedSnapshot(
        {{"all", {}, content.everywhere}, {"edge", {"tier=edge"}, content.edge}});
    publish::RolloutRequest request;
    request.version = publish::testing::VersionOf(revision_, *content.resources);
    request.resources = content.resources;
    content.root = request.version.root();
    contents_[revision_] = std::move(content);
    if (contents_[revision_].poisoned) {
      for (const bool placed : {false, true}) {
        if (edge && !placed) continue;
        poison_.insert(PartRoot(revision_, placed));
      }
    }
    at_once_ = at_once;
    fleet_->StartRollout(std::move(request), now_ms_);
    Decide();
  }

  // Of what nodes with and without the label get of a version.
  std::string PartRoot(uint64_t revision, bool edge) {
    std::string& root = part_roots_[{revision, edge}];
    if (root.empty()) {
      const publish::SharedResources& resources = contents_.at(revision).resources;
      publish::Labels labels;
      if (edge) labels["tier"] = "edge";
      root = publish::Placement()
                 .Of(publish::testing::VersionOf(revision, *resources), resources, labels, 1)
                 ->version.root();
    }
    return root;
  }

  // What a change does once every node has answered.
  void Decide() {
    if (fleet_->rollout().phase() != RolloutPhase::kPrepared) return;
    const v1::Version version = fleet_->rollout().request().version;
    if (at_once_) {
      released_ = version;
      fleet_->Release(now_ms_);
      return;
    }
    v1::Rollout record;
    *record.mutable_version() = version;
    *record.mutable_stable() = released_;
    *record.mutable_strategy() = Strategy();
    waves_.emplace(std::move(record), View(version.root()), Time());
    Store();
    fleet_->ReleaseTo(AudienceOf(), now_ms_);
  }
  v1::RolloutStrategy Strategy() {
    v1::RolloutStrategy strategy = yaml::DefaultRollout();
    strategy.set_bake_ms(4000);
    strategy.mutable_gates()->set_effective_within_ms(6000);
    strategy.mutable_gates()->set_requests_min(40);
    strategy.mutable_gates()->set_requests_wait_ms(8000);
    strategy.set_pause_on_failure(random_.Below(8) == 0);
    return strategy;
  }
  std::vector<publish::NodeView> View(const std::string& root) const {
    return fleet_->View(root, "", now_ms_);
  }
  void Store() { stored_ = waves_->record().SerializeAsString(); }

  void Look() {
    if (!rolling() || fleet_->rollout().active()) return;
    const Waves::Decision decision = waves_->Look(View(waves_->record().version().root()), Time());
    if (decision.changed) Store();
    if (random_.Below(200) == 0) return KillController();  // Stored, and not carried out.
    Carry(decision.order);
  }
  void Carry(Waves::Order order) {
    switch (order) {
      case Waves::Order::kNone:
        return;
      case Waves::Order::kWiden:
        return fleet_->Widen(AudienceOf(), now_ms_);
      case Waves::Order::kComplete:
        released_ = waves_->record().version();
        return fleet_->PromoteCandidate(now_ms_);
      case Waves::Order::kTakeBack:
        return fleet_->WithdrawCandidate(now_ms_);
    }
  }

  // --- The wire.

  Node* Find(uint64_t stream) {
    const auto found = streams_.find(stream);
    return found == streams_.end() ? nullptr : found->second;
  }
  void OnSent(uint64_t stream, SharedMessage message) {
    if (Node* node = Find(stream); node != nullptr) node->inbox.push_back(std::move(message));
  }
  void Connect(Node& node) {
    streams_.erase(node.stream);
    node.stream = ++last_stream_;
    node.inbox.clear();
    node.offer.Clear();
    node.decoder.reset();
    node.prepared_root.clear();
    streams_[node.stream] = &node;
    ASSERT_TRUE(fleet_->OnHello(node.stream, HelloOf(node), "peer", now_ms_, now_ms_).status.ok());
  }
  void Disconnect(Node& node) {
    if (node.stream == 0) return;
    const uint64_t stream = node.stream;
    streams_.erase(stream);
    node.stream = 0;
    node.inbox.clear();
    fleet_->OnDisconnect(stream, "gone", now_ms_);
    Decide();
  }
  void Say(const Node& node, const v1::ProxyMessage& message) {
    fleet_->OnMessage(node.stream, message, now_ms_, now_ms_);
    Decide();
  }

  // --- The nodes.

  void Read(Node& node) {
    while (!node.inbox.empty() && node.stream != 0) {
      v1::ControllerMessage message;
      ASSERT_TRUE(message.ParseFromString(node.inbox.front()->bytes));
      node.inbox.pop_front();
      if (message.has_offer()) {
        TakeOffer(node, message.offer());
      } else if (message.has_chunk()) {
        if (node.decoder) node.decoder->Add(message.chunk()).IgnoreError();
      } else if (message.has_prepare()) {
        Prepare(node, message.prepare().root());
      } else if (message.has_commit()) {
        Commit(node, message.commit().version());
      } else if (message.has_discard() && message.discard().root() == node.prepared_root) {
        node.prepared_root.clear();
      }
    }
  }
  void TakeOffer(Node& node, const v1::Offer& offer) {
    node.offer = offer;
    node.prepared_root.clear();
    node.decoder.reset();
    if (offer.base_root().empty()) {
      node.decoder.emplace(offer, snapshot::Resources(), kSnapshotBytesMax);
    } else if (offer.base_root() == node.version.root()) {
      // Now and then what it has is not what it says.
      const bool lost = random_.Below(50) == 0;
      node.decoder.emplace(offer, lost ? snapshot::Resources() : node.resources, kSnapshotBytesMax);
    }
  }
  void Prepare(Node& node, const std::string& root) {
    v1::ProxyMessage answer;
    absl::StatusOr<snapshot::Resources> rebuilt = absl::DataLossError("another base");
    if (node.decoder) rebuilt = std::move(*node.decoder).Finish();
    node.decoder.reset();
    if (!rebuilt.ok()) {
      ASSERT_TRUE(absl::IsDataLoss(rebuilt.status())) << rebuilt.status();
      ASSERT_FALSE(node.offer.base_root().empty()) << rebuilt.status();
      ++resyncs_;
      answer.mutable_resync()->set_expected_root(root);
      return Say(node, answer);
    }
    CountDelta(node);
    if (node.refuses.contains(root)) {
      answer.mutable_rejected()->set_root(root);
      answer.mutable_rejected()->add_errors()->set_message("cannot");
    } else {
      node.prepared_root = root;
      node.prepared = *std::move(rebuilt);
      answer.mutable_prepared()->set_root(root);
    }
    Say(node, answer);
  }
  // Every version has another word, so that less than it can only be a part of a resource.
  void CountDelta(const Node& node) {
    if (node.offer.bytes() >= publish::testing::kLongWordBytes) return;
    EXPECT_TRUE(node.takes_deltas) << node.id << " is of the release before";
    ++deltas_taken_;
    deltas_back_ += node.offer.version().revision() < node.version.revision();
  }
  void Commit(Node& node, const v1::Version& version) {
    CheckCommit(node, version);
    v1::ProxyMessage answer;
    const bool prepared = node.prepared_root == version.root();
    node.prepared_root.clear();
    if (!node.liar) {
      if (!prepared && node.version.root() != version.root()) {
        answer.mutable_resync()->set_expected_root(version.root());
        return Say(node, answer);
      }
      if (prepared) node.resources = std::move(node.prepared);
      node.version = version;
    }
    *answer.mutable_effective()->mutable_version() = version;
    Say(node, answer);
  }
  void Serve(Node& node) {
    publish::Traffic served;
    served.requests = kRequests;
    if (poison_.contains(node.version.root())) served.errors = kRequests / 2;
    for (size_t i = 3; i < served.buckets.size(); ++i) served.buckets[i] = kRequests;
    node.counters += served;
  }
  void Report(Node& node) {
    v1::ProxyMessage message;
    v1::Report& report = *message.mutable_report();
    *report.mutable_current() = node.version;
    report.set_requests_total(node.counters.requests);
    for (int i = 0; i < 5; ++i) {
      report.add_responses_by_class(i == 4   ? node.counters.errors
                                    : i == 1 ? node.counters.requests - node.counters.errors
                                             : 0);
    }
    for (const uint64_t count : node.counters.buckets) report.add_latency_buckets(count);
    Say(node, message);
  }

  void Step() {
    now_ms_ += kStepMs;
    ++step_;
    for (Node& node : nodes_) {
      if (node.version.revision() > 0) Serve(node);
      if (node.stream == 0 || node.silent_until_ms > now_ms_) continue;
      if (!node.slow || step_ % 3 == 0) Read(node);
      if (node.stream != 0 && step_ % 2 == 0) Report(node);
    }
    fleet_->Tick(now_ms_);
    Decide();
    Look();
    CheckReach();
  }

  void Misbehave() {
    Node& node = nodes_[random_.Below(nodes_.size())];
    switch (random_.Below(12)) {
      case 0:
        return Disconnect(node);
      case 1:  // Crashes, with or without its disk.
        Disconnect(node);
        ++node.boot;
        node.counters = {};
        node.refuses.clear();
        node.liar = false;
        node.takes_deltas = random_.Below(4) > 0;  // Another release may have been installed.
        if (random_.Below(3) == 0) {
          node.version.Clear();
          node.resources.clear();
        }
        return;
      case 2:
        node.silent_until_ms = now_ms_ + static_cast<int64_t>(random_.Below(15'000));
        return;
      case 3:
        if (fleet_->rollout().active()) {
          node.refuses.insert(PartRoot(fleet_->rollout().request().version.revision(), node.edge));
        }
        return;
      case 4:
        node.liar = random_.Below(4) == 0;
        return;
      default:  // Comes back; a stream that is there is doubled now and then.
        if (node.stream == 0 || random_.Below(10) == 0) Connect(node);
        return;
    }
  }

  void Heal() {
    for (Node& node : nodes_) {
      node.silent_until_ms = 0;
      node.liar = false;
      node.slow = false;
      if (node.stream == 0) Connect(node);
    }
    for (int i = 0; i < 400; ++i) {
      for (Node& node : nodes_) {
        if (node.stream == 0) Connect(node);  // After a controller's death.
      }
      Step();
      if (rolling() && waves_->record().state() == v1::Rollout::PAUSED) {
        waves_->End(v1::Rollout::ABORTED, "by an operator", Time());
        Store();
        Carry(Waves::Order::kTakeBack);
      }
      if (!rolling() && !fleet_->rollout().active() && i > 40) break;
    }
    for (int i = 0; i < 10; ++i) Step();
  }

  // --- What must always hold.

  // A commit is for what was released, or for a node that the rollout has reached.
  void CheckCommit(const Node& node, const v1::Version& version) {
    EXPECT_EQ(version.root(), PartRoot(version.revision(), node.edge)) << node.id;
    if (version.revision() == fleet_->released().revision()) return;
    ever_had_[version.revision()].insert(node.id);
    // It may have been taken back since this was sent; then the node is told next.
    if (!rolling() || version.revision() != waves_->record().version().revision()) return;
    EXPECT_TRUE(AudienceOf().contains(node.id)) << node.id << " is beyond its wave";
  }
  // Poison stays in its first wave.
  void CheckReach() {
    if (!waves_) return;
    const v1::Rollout& record = waves_->record();
    if (!contents_[record.version().revision()].poisoned) return;
    EXPECT_EQ(record.wave(), 0u) << "poison went past wave one: " << record.DebugString();
    EXPECT_NE(record.state(), v1::Rollout::COMPLETED);
    const auto& first = record.waves(0).node_ids();
    for (const std::string& id : ever_had_[record.version().revision()]) {
      EXPECT_NE(std::find(first.begin(), first.end(), id), first.end()) << id;
    }
  }
  void CheckEnd() {
    EXPECT_FALSE(rolling());
    for (const Node& node : nodes_) {
      const std::string root = PartRoot(released_.revision(), node.edge);
      if (node.refuses.contains(root)) continue;
      EXPECT_EQ(node.version.revision(), released_.revision()) << node.id;
      EXPECT_EQ(snapshot::RootOf(node.resources), root) << node.id;
    }
    EXPECT_FALSE(contents_[released_.revision()].poisoned);
  }

  base::Random random_;
  int64_t now_ms_ = 1000;
  int step_ = 0;
  uint64_t last_stream_ = 0, revision_ = 0;
  bool at_once_ = false;
  int deltas_taken_ = 0, deltas_back_ = 0, resyncs_ = 0;  // Back: to a version of before.
  std::vector<Node> nodes_;
  std::unordered_map<uint64_t, Node*> streams_;
  std::unordered_map<uint64_t, Content> contents_;                // By revision.
  std::unordered_map<uint64_t, std::set<std::string>> ever_had_;  // Committed, by revision.
  std::set<std::string> poison_;                                  // Roots of parts.
  std::map<std::pair<uint64_t, bool>, std::string> part_roots_;
  v1::Version released_;  // Stored.
  std::string stored_;    // The newest rollout.
  std::optional<Fleet> fleet_;
  std::optional<Waves> waves_;
};

TEST(RolloutSimulationTest, TheRulesHoldWhateverHappens) {
  const char* given = getenv("SLUICE_SEED");
  const uint64_t first = given != nullptr ? strtoull(given, nullptr, 10) : base::RandomSeed();
  const int rounds = given != nullptr ? 1 : kSeeds;
  int deltas_taken = 0, deltas_back = 0, resyncs = 0;
  for (int round = 0; round < rounds && !HasFailure(); ++round) {
    const uint64_t seed = first + static_cast<uint64_t>(round);
    SCOPED_TRACE(fmt::format("SLUICE_SEED={}", seed));
    Simulation simulation(seed);
    simulation.Run();
    deltas_taken += simulation.deltas_taken();
    deltas_back += simulation.deltas_back();
    resyncs += simulation.resyncs();
  }
  if (given != nullptr) return;
  EXPECT_GT(deltas_taken, rounds);
  EXPECT_GT(deltas_back, 0);
  EXPECT_GT(resyncs, 0);
}

}  // namespace
}  // namespace sluice::rollout
