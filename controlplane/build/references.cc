#include "controlplane/build/references.h"

#include <fmt/format.h>

#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "common/base/address.h"
#include "common/base/nearest.h"
#include "common/config/bound_address.h"

namespace sluice::build {
namespace {

using yaml::Mention;
using yaml::Quoted;

// Suggestions are looked for this often at most: each compares with every name.
constexpr size_t kSuggestionsMax = 20;

void CheckUpstreams(const yaml::Draft& draft, yaml::Problems* problems) {
  std::unordered_set<std::string_view> known;
  for (const yaml::UpstreamDraft& upstream : draft.upstreams) known.insert(upstream.name.text);
  std::unordered_set<std::string_view> used;
  std::vector<std::string_view> words;
  size_t suggestions = 0;
  for (const Mention& use : draft.upstream_uses) {
    used.insert(use.text);
    if (known.count(use.text) > 0) continue;
    if (words.empty()) words.assign(known.begin(), known.end());
    const std::string_view nearest =
        ++suggestions <= kSuggestionsMax ? base::NearestWord(use.text, words) : std::string_view();
    problems->Error(use.place, use.path,
                    nearest.empty() ? fmt::format("no upstream is named {}; give it nodes, here or "
                                                  "in the list 'upstreams'",
                                                  Quoted(use.text))
                                    : fmt::format("no upstream is named {}; did you mean '{}'?",
                                                  Quoted(use.text), nearest));
  }
  for (const yaml::UpstreamDraft& upstream : draft.upstreams) {
    if (!upstream.shared || used.count(upstream.name.text) > 0) continue;
    problems->Warn(upstream.name.place, upstream.name.path,
                   fmt::format("no route uses upstream {}", Quoted(upstream.name.text)));
  }
}

Mention MentionOf(const yaml::FieldPlaces& places, std::string_view field, std::string_view path) {
  for (const auto& [name, place] : places) {
    if (name == field) return {"", place, std::string(path)};
  }
  return {"", {}, std::string(path)};  // A default: nobody wrote it.
}

// A place where the proxies listen.
struct Bound {
  config::BoundAddress bound;
  std::string who;
  Mention mention;
};

class BoundAddresses {
 public:
  explicit BoundAddresses(yaml::Problems* problems) : problems_(problems) {}

  // `listener`: null for what is on every node.
  void Add(const std::string& text, const v1::Listener* listener, std::string who,
           Mention mention) {
    const auto address = base::ResolveNumeric(text);
    if (!address.ok()) return;  // Reported where it was read.
    const config::BoundAddress bound{*address, listener};
    std::vector<Bound>& others = by_port_[address->port()];
    for (const Bound& other : others) {
      if (!config::Collide(bound, other.bound)) continue;
      const bool written = other.mention.place.line > 0;
      problems_->Error(mention.place, mention.path,
                       fmt::format("{} listens on {} already{}; give one of them another port",
                                   other.who, other.bound.address.ToString(),
                                   written ? " at " + problems_->Format(other.mention.place) : ""));
      return;
    }
    // A port taken a thousand times on different addresses would make this quadratic.
    if (others.size() < 1000) others.push_back({bound, std::move(who), std::move(mention)});
  }

 private:
  yaml::Problems* const problems_;
  std::unordered_map<uint16_t, std::vector<Bound>> by_port_;
};

void CheckAddresses(const yaml::Draft& draft, yaml::Problems* problems) {
  BoundAddresses bound(problems);
  const v1::Settings& settings = draft.settings;
  if (settings.admin().enabled()) {
    bound.Add(settings.admin().address(), nullptr, "the admin API",
              MentionOf(draft.settings_places, "admin.address", "admin.bind_address"));
  }
  if (settings.metrics().enabled()) {
    bound.Add(settings.metrics().address(), nullptr, "the metrics endpoint",
              MentionOf(draft.settings_places, "metrics.address", "metrics.bind_address"));
  }
  for (const yaml::ServiceDraft& service : draft.services) {
    std::string path = service.name.path;
    path.replace(path.rfind("name"), 4, "bind_address");
    bound.Add(service.listener.address(), &service.listener,
              fmt::format("service {}", Quoted(service.name.text)),
              MentionOf(service.listener_places, "address", path));
  }
}

}  // namespace

void CheckReferences(const yaml::Draft& draft, yaml::Problems* problems) {
  CheckUpstreams(draft, problems);
  CheckAddresses(draft, problems);
}

}  // namespace sluice::build
