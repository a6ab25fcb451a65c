// Many proxies, a clock that is moved by hand, and everything that can go wrong by dice: slow,
// rejecting, dying, reconnecting, relabelled and doubled nodes under one version after the other.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <queue>
#include <set>

#include "common/base/random.h"
#include "common/snapshot/delta.h"
#include "controlplane/publish/fleet.h"
#include "controlplane/publish/testing_placed.h"

namespace sluice::publish {
namespace {

using testing::HelloOf;
using testing::kLongWordBytes;
using testing::LongWord;
using testing::PlacedSnapshot;
using testing::VersionOf;

constexpr int64_t kPrepareTimeoutMs = 1000;
constexpr int64_t kReportMs = 200;
constexpr char kRehearsed[] = "cannot, says a dry run";
constexpr const char* kTiers[] = {"", "edge", "core"};  // Each has a service of its own; but "".

// What a proxy does with what it is sent, by the rules of the protocol.
struct Proxy {
  std::string id;
  int boot = 1;
  std::string tier;                       // As it says of itself.
  std::string tier_said;                  // When it came last.
  std::optional<std::string> tier_given;  // By an operator.
  uint64_t stream = 0;                    // 0: not connected.
  v1::Version version;
  snapshot::Resources resources;
  v1::Offer offer;
  std::optional<snapshot::DeltaDecoder> decoder;
  std::string prepared_root;
  snapshot::Resources prepared;

  int64_t latency_ms = 1;
  int64_t silent_until_ms = 0;     // Reads nothing before.
  std::set<std::string> cannot;    // Words it rejects in this boot.
  std::set<std::string> rejected;  // Roots it has rejected in this boot.
  int unanswered = 0;              // Prepares on this stream that it has not answered.
  bool loses_deltas = false;       // Claims once that a delta did not fit.
  bool takes_deltas = false;       // Of resources; it may be of the release before in this boot.

  std::string boot_id() const { return fmt::format("{}-{}", id, boot); }
  const std::string& tier_now() const { return tier_given ? *tier_given : tier_said; }
};

// The words of a snapshot: what may be wrong with it.
std::set<std::string> WordsIn(const snapshot::Resources& resources) {
  std::set<std::string> words;
  for (const auto& resource : resources) {
    if (resource->kind() != v1::RESOURCE_KIND_ROUTE_TABLE) continue;
    v1::RouteTable table;
    table.ParseFromString(resource->body());
    words.insert(table.routes(1).respond().body());
  }
  return words;
}

std::vector<std::string> NamesIn(const snapshot::Resources& resources) {
  std::vector<std::string> names;
  for (const auto& resource : resources) names.push_back(resource->name());
  return names;
}

class Simulation {
 public:
  explicit Simulation(uint64_t seed)
      : random_(seed),
        fleet_(
            {.prepare_timeout_ms = kPrepareTimeoutMs, .report_interval_ms = kReportMs},
            [this](const std::string& root) { return Load(root); },
            [this](uint64_t stream, SharedMessage message) { OnSent(stream, message); }) {
    const int count = 5 + static_cast<int>(random_.Below(30));
    for (int i = 0; i < count; ++i) {
      Proxy& proxy = proxies_.emplace_back();
      proxy.id = fmt::format("n{}", i);
      proxy.latency_ms = 1 + static_cast<int64_t>(random_.Below(100));
      proxy.takes_deltas = random_.Below(2) == 0;
      proxy.tier = AnyTier();
    }
  }

  void Run() {
    for (int step = 0; step < 3000 && !::testing::Test::HasFailure(); ++step) {
      Misbehave();
      if (!fleet_.rollout().active() && random_.Below(20) == 0) NewVersion();
      Advance(static_cast<int64_t>(random_.Below(60)));
    }
    Calm();
    CheckEnd();
  }

  int deltas_taken() const { return deltas_taken_; }

 private:
  struct Event {
    int64_t at_ms;
    uint64_t order;
    uint64_t stream;
    SharedMessage to_proxy;  // Or:
    v1::ProxyMessage from_proxy;
    bool operator<(const Event& other) const {
      return std::tie(at_ms, order) > std::tie(other.at_ms, other.order);
    }
  };

  SharedResources Load(const std::string& root) {
    const auto found = stored_.find(root);
    return found == stored_.end() || random_.Below(10) == 0 ? nullptr : found->second;
  }

  Proxy* Find(uint64_t stream) {
    for (Proxy& proxy : proxies_) {
      if (proxy.stream == stream) return &proxy;
    }
    return nullptr;
  }

  // --- The wire, in order per stream and direction.

  void OnSent(uint64_t stream, const SharedMessage& message) {
    Proxy* proxy = Find(stream);
    if (proxy == nullptr) return;
    CheckSent(*proxy, message);
    Push(stream, *proxy, message, {});
  }
  void Answer(Proxy& proxy, v1::ProxyMessage message) {
    Push(proxy.stream, proxy, nullptr, std::move(message));
  }
  void Push(uint64_t stream, const Proxy& proxy, SharedMessage to_proxy, v1::ProxyMessage from) {
    int64_t& last = (to_proxy != nullptr ? last_down_ : last_up_)[stream];
    last = std::max(last, now_ + proxy.latency_ms);
    events_.push({last, ++order_, stream, std::move(to_proxy), std::move(from)});
  }

  void Advance(int64_t ms) {
    const int64_t end = now_ + ms;
    while (!events_.empty() && events_.top().at_ms <= end) {
      Event event = events_.top();
      events_.pop();
      now_ = std::max(now_, event.at_ms);
      Proxy* proxy = Find(event.stream);
      if (proxy == nullptr) continue;
      if (event.to_proxy == nullptr) {
        NoteAnswer(*proxy, event.from_proxy);
        fleet_.OnMessage(event.stream, event.from_proxy, now_, now_);
      } else if (proxy->silent_until_ms > now_) {
        event.at_ms = proxy->silent_until_ms;  // Nothing overtakes: all are put off alike.
        events_.push(event);
      } else {
        v1::ControllerMessage message;
        ASSERT_TRUE(message.ParseFromString(event.to_proxy->bytes));
        OnProxy(*proxy, message);
      }
      Decide();
    }
    now_ = end;
    fleet_.Tick(now_);
    Decide();
  }

  // What the controller does between prepared and committed.
  void Decide() {
    if (fleet_.rollout().phase() != RolloutPhase::kPrepared) return;
    if (random_.Below(15) == 0) {
      fleet_.Abandon(now_);
      return;
    }
    CheckBeforeCommit();
    stored_[fleet_.rollout().root()] = fleet_.rollout().request().resources;
    const v1::Version version = fleet_.rollout().request().version;
    fleet_.Release(now_);
    EXPECT_EQ(fleet_.released().revision(), version.revision());
  }

  // --- The proxies.

  void OnProxy(Proxy& proxy, const v1::ControllerMessage& message) {
    v1::ProxyMessage answer;
    switch (message.message_case()) {
      case v1::ControllerMessage::kOffer:
        proxy.offer = message.offer();
        proxy.prepared_root.clear();
        proxy.decoder.reset();
        if (proxy.offer.base_root().empty() || proxy.offer.base_root() == proxy.version.root()) {
          proxy.decoder.emplace(
              proxy.offer,
              proxy.offer.base_root().empty() ? snapshot::Resources() : proxy.resources, 1 << 20);
        }
        return;
      case v1::ControllerMessage::kChunk:
        if (proxy.decoder) (void)proxy.decoder->Add(message.chunk());
        return;
      case v1::ControllerMessage::kPrepare:
        return Prepare(proxy, message.prepare());
      case v1::ControllerMessage::kCommit:
        return Commit(proxy, message.commit().version());
      case v1::ControllerMessage::kDiscard:
        if (message.discard().root() == proxy.prepared_root) proxy.prepared_root.clear();
        return;
      default:
        return;
    }
  }

  void Prepare(Proxy& proxy, const v1::Prepare& prepare) {
    v1::ProxyMessage answer;
    if (prepare.root() != proxy.offer.version().root()) return;
    const bool delta = !proxy.offer.base_root().empty();
    if (!proxy.decoder || (delta && proxy.loses_deltas)) {
      proxy.loses_deltas = false;
      proxy.decoder.reset();
      answer.mutable_resync()->set_expected_root(prepare.root());
      return Answer(proxy, answer);
    }
    snapshot::DeltaDecoder decoder = *std::move(proxy.decoder);
    proxy.decoder.reset();
    auto rebuilt = std::move(decoder).Finish();
    ASSERT_TRUE(rebuilt.ok()) << rebuilt.status();
    const bool same_services = delta && NamesIn(proxy.resources) == NamesIn(*rebuilt);
    if (same_services && proxy.offer.bytes() > 0 && proxy.offer.bytes() < kLongWordBytes) {
      EXPECT_TRUE(proxy.takes_deltas) << proxy.id;
      ++deltas_taken_;
    }
    const std::set<std::string> words = WordsIn(*rebuilt);
    if (std::any_of(words.begin(), words.end(),
                    [&](const std::string& word) { return proxy.cannot.contains(word); })) {
      if (!prepare.dry_run()) proxy.rejected.insert(prepare.root());
      answer.mutable_rejected()->set_root(prepare.root());
      answer.mutable_rejected()->add_errors()->set_message(prepare.dry_run() ? kRehearsed
                                                                             : "cannot");
    } else {
      if (!prepare.dry_run()) {
        proxy.prepared_root = prepare.root();
        proxy.prepared = *std::move(rebuilt);
      }
      proxy.rejected.erase(prepare.root());
      answer.mutable_prepared()->set_root(prepare.root());
    }
    Answer(proxy, answer);
  }

  void Commit(Proxy& proxy, const v1::Version& version) {
    v1::ProxyMessage answer;
    if (proxy.prepared_root == version.root()) {
      proxy.resources = proxy.prepared;
    } else if (proxy.version.root() != version.root()) {
      answer.mutable_resync()->set_expected_root(version.root());
      return Answer(proxy, answer);
    }
    proxy.version = version;
    proxy.prepared_root.clear();
    *answer.mutable_applied()->mutable_version() = version;
    Answer(proxy, answer);
    *answer.mutable_effective()->mutable_version() = version;
    Answer(proxy, answer);
  }

  // --- The dice.

  Proxy& Any() { return proxies_[random_.Below(proxies_.size())]; }
  // So few that a node can remember every part it refused: kRejectionsMax.
  std::string AnyWord() { return LongWord(fmt::format("word{}", random_.Below(3))); }
  std::string AnyWordOf(const std::string& tier) {
    return LongWord(fmt::format("{}{}", tier, random_.Below(2)));
  }
  std::string AnyTier() { return kTiers[random_.Below(std::size(kTiers))]; }

  void Connect(Proxy& proxy) {
    const uint64_t old = proxy.stream;
    proxy.stream = ++streams_;
    proxy.unanswered = 0;
    proxy.offer.Clear();
    proxy.decoder.reset();
    proxy.prepared_root.clear();
    v1::Hello hello = HelloOf(proxy.id, proxy.boot_id(), proxy.version, proxy.takes_deltas);
    (*hello.mutable_labels())["tier"] = proxy.tier_said = proxy.tier;
    const Fleet::Greeting greeting = fleet_.OnHello(proxy.stream, hello, "peer", now_, now_);
    ASSERT_TRUE(greeting.status.ok()) << greeting.status;
    ASSERT_EQ(greeting.replaced, old);
  }
  void Disconnect(Proxy& proxy) {
    if (proxy.stream == 0) return;
    const uint64_t stream = proxy.stream;
    proxy.stream = 0;
    fleet_.OnDisconnect(stream, "gone", now_);
  }
  void Restart(Proxy& proxy) {
    Disconnect(proxy);
    ++proxy.boot;
    proxy.rejected.clear();
    proxy.cannot.clear();
    proxy.takes_deltas = random_.Below(2) == 0;
    if (random_.Below(3) == 0) proxy.tier = AnyTier();
    if (random_.Below(3) == 0) {  // Its disk was lost.
      proxy.version.Clear();
      proxy.resources.clear();
    }
  }

  void Misbehave() {
    Proxy& proxy = Any();
    switch (random_.Below(30)) {
      case 0:
        return Disconnect(proxy);
      case 1:
        return Restart(proxy);
      case 2:
        // Never shorter than it was: what comes then must not overtake what was put off.
        proxy.silent_until_ms =
            std::max(proxy.silent_until_ms,
                     now_ + static_cast<int64_t>(random_.Below(3 * kPrepareTimeoutMs)));
        return;
      case 3:
        proxy.cannot.insert(random_.Below(2) == 0 ? AnyWord() : AnyWordOf(AnyTier()));
        return;
      case 4:
        proxy.loses_deltas = true;
        return;
      case 5:  // A second connection before the first has ended.
        if (proxy.stream != 0) Connect(proxy);
        return;
      case 6:
        return Label(proxy);
      default:
        if (proxy.stream == 0) Connect(proxy);
        return;
    }
  }

  // By an operator, or back to what it says of itself.
  void Label(Proxy& proxy) {
    if (!fleet_.nodes().contains(proxy.id)) return;
    proxy.tier_given = random_.Below(4) == 0 ? std::nullopt : std::optional(AnyTier());
    std::map<std::string, std::string> labels;
    if (proxy.tier_given) labels["tier"] = *proxy.tier_given;
    // Before it is said: then it is asked again for what it had refused.
    const SharedResources& released = requests_[fleet_.released().revision()];
    if (released != nullptr) {
      heard_rejections_[proxy.boot_id()].erase(PartRoot(fleet_.released().revision(), proxy));
    }
    fleet_.SetLabels(proxy.id, labels, now_);
    Decide();
  }

  // By other code than the fleet's memory of it: as it is when it is made anew.
  std::string PartRoot(uint64_t revision, const Proxy& proxy) {
    const SharedResources& resources = requests_.at(revision);
    std::string& root = part_roots_[{revision, proxy.tier_now()}];
    if (root.empty()) {
      Labels labels;
      labels["tier"] = proxy.tier_now();
      root = Placement().Of(VersionOf(revision, *resources), resources, labels, 1)->version.root();
    }
    return root;
  }

  void NewVersion() {
    RolloutRequest request;
    const std::string same = AnyWord();
    request.resources = PlacedSnapshot({{"all", {}, random_.Below(2) == 0 ? same : last_all_},
                                        {"edge", {"tier=edge"}, AnyWordOf("edge")},
                                        {"core", {"tier=core"}, AnyWordOf("core")}});
    last_all_ = same;
    request.version = VersionOf(++revision_, *request.resources);
    requests_[revision_] = request.resources;
    request.partial = random_.Below(3) == 0;
    request.dry_run = random_.Below(5) == 0;
    fleet_.StartRollout(request, now_);
    Decide();
  }

  void Calm() {
    for (Proxy& proxy : proxies_) {
      if (proxy.stream == 0) Connect(proxy);
    }
    Advance(3 * kPrepareTimeoutMs);  // Nobody is silent any more.
    for (int i = 0; i < 100; ++i) {
      for (Proxy& proxy : proxies_) {
        v1::ProxyMessage report;
        *report.mutable_report()->mutable_current() = proxy.version;
        Answer(proxy, report);
      }
      Advance(kReportMs);
    }
  }

  // --- What must always hold.

  void CheckSent(Proxy& proxy, const SharedMessage& shared) {
    v1::ControllerMessage message;
    ASSERT_TRUE(message.ParseFromString(shared->bytes));
    switch (message.message_case()) {
      case v1::ControllerMessage::kOffer:
        EXPECT_EQ(proxy.unanswered, 0) << proxy.id << ": a second offer is in flight";
        EXPECT_EQ(snapshot::ShortHex(message.offer().version().root()),
                  snapshot::ShortHex(PartRoot(message.offer().version().revision(), proxy)))
            << proxy.id << " of tier " << proxy.tier_now() << ": offered what is placed elsewhere";
        return;
      case v1::ControllerMessage::kPrepare:
        ++proxy.unanswered;
        // What the controller has heard is what counts.
        EXPECT_TRUE(message.prepare().dry_run() ||
                    !heard_rejections_[proxy.boot_id()].contains(message.prepare().root()))
            << proxy.id << ": a rejected root is offered again";
        return;
      case v1::ControllerMessage::kCommit:
        EXPECT_EQ(snapshot::ShortHex(message.commit().version().root()),
                  snapshot::ShortHex(PartRoot(message.commit().version().revision(), proxy)))
            << proxy.id << " of tier " << proxy.tier_now() << ": to serve what is placed elsewhere";
        EXPECT_FALSE(fleet_.rollout().phase() == RolloutPhase::kPreparing &&
                     message.commit().version().revision() ==
                         fleet_.rollout().request().version.revision())
            << proxy.id << ": commit before all have prepared";
        return;
      default:
        return;
    }
  }

  // What the controller hears when an answer arrives.
  void NoteAnswer(Proxy& proxy, const v1::ProxyMessage& message) {
    if (message.has_prepared() || message.has_rejected() || message.has_resync()) {
      proxy.unanswered = std::max(0, proxy.unanswered - 1);
    }
    if (message.has_rejected() && message.rejected().errors(0).message() != kRehearsed) {
      heard_rejections_[proxy.boot_id()].insert(message.rejected().root());
    }
    if (message.has_prepared()) {
      heard_rejections_[proxy.boot_id()].erase(message.prepared().root());
      heard_prepared_[proxy.stream].insert(message.prepared().root());
    }
  }

  // Every connected node that takes part has said Prepared, or serves it, or was given up in time.
  void CheckBeforeCommit() {
    const Rollout& rollout = fleet_.rollout();
    for (const v1::NodeProgress& node : rollout.Progress()) {
      switch (node.stage()) {
        case v1::NodeProgress::PREPARED: {
          const ProxyNode& known = fleet_.nodes().at(node.node_id());
          EXPECT_TRUE(heard_prepared_[known.stream].contains(known.offered_root) ||
                      known.base_root == known.offered_root)
              << node.node_id();
          break;
        }
        case v1::NodeProgress::REJECTED:
          EXPECT_TRUE(rollout.request().partial) << node.node_id();
          break;
        case v1::NodeProgress::LAGGING:
          break;
        default:
          ADD_FAILURE() << node.node_id() << " is still awaited: " << node.stage();
      }
    }
  }

  void CheckEnd() {
    EXPECT_FALSE(fleet_.rollout().active());
    EXPECT_TRUE(fleet_.rollout().settled());
    if (fleet_.released().root().empty()) return;
    for (const Proxy& proxy : proxies_) {
      const ProxyNode& known = fleet_.nodes().at(proxy.id);
      const v1::NodeStatus::State state =
          StatusOf(known, fleet_.MeantFor(known), now_, kReportMs).state();
      const std::string root = PartRoot(fleet_.released().revision(), proxy);
      if (proxy.rejected.contains(root)) {
        // It may have been asked again for what it serves.
        EXPECT_EQ(state,
                  proxy.version.root() == root ? v1::NodeStatus::SYNCED : v1::NodeStatus::REJECTED)
            << proxy.id;
        continue;
      }
      EXPECT_EQ(snapshot::ShortHex(proxy.version.root()), snapshot::ShortHex(root)) << proxy.id;
      EXPECT_EQ(proxy.version.revision(), fleet_.released().revision()) << proxy.id;
      EXPECT_EQ(snapshot::RootOf(proxy.resources), root) << proxy.id;
      EXPECT_EQ(state, v1::NodeStatus::SYNCED) << proxy.id;
      EXPECT_EQ(known.version.root(), fleet_.released().root()) << proxy.id;
    }
  }

  base::Random random_;
  int64_t now_ = 1;
  uint64_t order_ = 0, streams_ = 0, revision_ = 0;
  int deltas_taken_ = 0;
  std::priority_queue<Event> events_;
  std::map<uint64_t, int64_t> last_down_, last_up_;
  std::vector<Proxy> proxies_;
  std::map<std::string, SharedResources> stored_;
  std::map<uint64_t, SharedResources> requests_;
  std::map<std::pair<uint64_t, std::string>, std::string> part_roots_;
  std::string last_all_ = "none";
  std::map<std::string, std::set<std::string>> heard_rejections_;  // By boot.
  std::map<uint64_t, std::set<std::string>> heard_prepared_;       // By stream.
  Fleet fleet_;
};

TEST(FleetSimulationTest, TheRulesHoldWhateverHappens) {
  const char* given = getenv("SLUICE_SEED");
  const uint64_t first = given != nullptr ? strtoull(given, nullptr, 10) : base::RandomSeed();
  const int rounds = given != nullptr ? 1 : 30;
  int deltas_taken = 0;
  for (int round = 0; round < rounds && !HasFailure(); ++round) {
    const uint64_t seed = first + static_cast<uint64_t>(round);
    SCOPED_TRACE(fmt::format("SLUICE_SEED={}", seed));
    Simulation simulation(seed);
    simulation.Run();
    deltas_taken += simulation.deltas_taken();
  }
  if (given != nullptr) return;
  EXPECT_GT(deltas_taken, 0);
}

}  // namespace
}  // namespace sluice::publish
