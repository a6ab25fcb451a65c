#include "common/preflight/tally.h"

#include <algorithm>
#include <tuple>

namespace sluice::preflight {
namespace {

// Never within a character: the receiver refuses what is not UTF-8.
std::string_view Cut(std::string_view text) {
  if (text.size() <= Tally::kTextMax) return text;
  size_t end = Tally::kTextMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0u) == 0x80u) --end;
  return text.substr(0, end);
}

}  // namespace

Tally::Entry* Tally::Find(const Change& change) {
  const std::string_view service = Cut(change.service), route = Cut(change.route);
  const std::string_view target = Cut(change.target);
  key_.assign(service).append(1, '\0').append(route).append(1, '\0').append(target);
  key_.append(1, static_cast<char>(change.kind));
  if (const auto found = entries_.find(key_); found != entries_.end()) return &found->second;
  if (entries_.size() >= kChangesMax) return nullptr;
  Entry& entry = entries_[key_];
  entry.service = service;
  entry.route = route;
  entry.target = target;
  entry.kind = change.kind;
  return &entry;
}

void Tally::AddExample(Entry& entry, std::string_view example) {
  example = Cut(example);
  const auto& known = entry.examples;
  if (std::find(known.begin(), known.end(), example) != known.end()) return;
  entry.examples.emplace_back(example);
}

void Tally::Merge(const v1::PreflightReport& report) {
  requests_ += report.requests();
  changed_ += report.changed();
  unlisted_ += report.unlisted();
  for (const v1::PreflightChange& change : report.changes()) {
    Entry* entry = Find({.service = change.service(),
                         .route = change.route(),
                         .kind = change.kind(),
                         .target = change.target()});
    if (entry == nullptr) {
      unlisted_ += change.requests();
      continue;
    }
    entry->requests += change.requests();
    for (const std::string& example : change.examples()) {
      if (entry->examples.size() >= kExamplesMax) break;
      AddExample(*entry, example);
    }
  }
}

v1::PreflightReport Tally::ToReport() const {
  std::vector<const Entry*> order;
  order.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const Entry* a, const Entry* b) {
    return std::tie(b->requests, a->service, a->route, a->kind, a->target) <
           std::tie(a->requests, b->service, b->route, b->kind, b->target);
  });
  v1::PreflightReport report;
  report.set_requests(requests_);
  report.set_changed(changed_);
  report.set_unlisted(unlisted_);
  for (const Entry* entry : order) {
    v1::PreflightChange& change = *report.add_changes();
    change.set_service(entry->service);
    change.set_route(entry->route);
    change.set_kind(entry->kind);
    change.set_target(entry->target);
    change.set_requests(entry->requests);
    for (const std::string& example : entry->examples) change.add_examples(example);
  }
  return report;
}

}  // namespace sluice::preflight
