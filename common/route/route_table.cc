#include "common/route/route_table.h"

#include <fmt/format.h>

#include "common/route/host_path_index.h"
#include "common/route/match.h"

namespace sluice::route {

struct RouteTable::Index {
  // The patterns as written, for Explain and Unreachable. Offsets into `text`, host before prefix.
  struct Pattern {
    uint32_t offset;
    uint32_t host_bytes;
    uint32_t prefix_bytes;
  };

  std::string_view host(size_t route) const {
    return std::string_view(text).substr(patterns[route].offset, patterns[route].host_bytes);
  }
  std::string_view prefix(size_t route) const {
    const Pattern& pattern = patterns[route];
    return std::string_view(text).substr(pattern.offset + pattern.host_bytes, pattern.prefix_bytes);
  }

  HostPathIndex first_match;
  std::vector<Pattern> patterns;
  std::string text;
};

namespace {

std::string ForPeople(std::string_view host) {
  return host.empty() ? std::string("empty") : fmt::format("'{}'", host);
}

std::string WhyItLost(const Request& request, std::string_view host, std::string_view prefix) {
  if (!HostMatches(request.host, host)) {
    return fmt::format("the host is {}, the route wants '{}'", ForPeople(request.host), host);
  }
  return fmt::format("the path '{}' does not lie under '{}'", request.path, prefix);
}

std::string WhyItWon(std::string_view host, std::string_view prefix) {
  const bool any_host = host.empty() || host == "*";
  const bool any_path = prefix.empty() || prefix == "/";
  if (any_host && any_path) return "it takes every host and path";
  if (any_host) return fmt::format("the path lies under '{}'", prefix);
  if (any_path) return fmt::format("the host matches '{}'", host);
  return fmt::format("the host matches '{}' and the path lies under '{}'", host, prefix);
}

}  // namespace

RouteTable::RouteTable(const v1::RouteTable& table) {
  auto index = std::make_unique<Index>();
  size_t text_bytes = 0;
  for (const v1::Route& route : table.routes()) {
    text_bytes += route.host().size() + route.path_prefix().size();
  }
  index->text.reserve(text_bytes);
  index->patterns.reserve(static_cast<size_t>(table.routes_size()));
  for (const v1::Route& route : table.routes()) {
    const auto order = static_cast<uint32_t>(index->patterns.size());
    index->patterns.push_back({.offset = static_cast<uint32_t>(index->text.size()),
                               .host_bytes = static_cast<uint32_t>(route.host().size()),
                               .prefix_bytes = static_cast<uint32_t>(route.path_prefix().size())});
    index->text += route.host();
    index->text += route.path_prefix();
    index->first_match.Add(route.host(), route.path_prefix(), order);
  }
  index->first_match.Finish();
  index_ = std::move(index);
}

RouteTable::~RouteTable() = default;
RouteTable::RouteTable(RouteTable&&) noexcept = default;
RouteTable& RouteTable::operator=(RouteTable&&) noexcept = default;

int RouteTable::Find(const Request& request) const {
  const uint32_t found = index_->first_match.Find(request.host, request.path);
  return static_cast<int>(found);  // HostPathIndex::kNone becomes kNone.
}
static_assert(static_cast<int>(HostPathIndex::kNone) == RouteTable::kNone);

bool RouteTable::KnowsHost(std::string_view host) const {
  return index_->first_match.HasHost(host);
}

std::vector<RouteTable::Candidate> RouteTable::Explain(const Request& request) const {
  std::vector<Candidate> candidates;
  const int winner = Find(request);
  const size_t end = winner == kNone ? index_->patterns.size() : static_cast<size_t>(winner);
  for (size_t i = 0; i < end; ++i) {
    candidates.push_back(
        {static_cast<int>(i), false, WhyItLost(request, index_->host(i), index_->prefix(i))});
  }
  if (winner != kNone) {
    candidates.push_back({winner, true, WhyItWon(index_->host(end), index_->prefix(end))});
  }
  return candidates;
}

std::vector<std::pair<int, int>> RouteTable::Unreachable() const {
  std::vector<std::pair<int, int>> hidden;
  for (size_t i = 0; i < index_->patterns.size(); ++i) {
    const uint32_t first = index_->first_match.FindCovering(index_->host(i), index_->prefix(i));
    if (first < i) hidden.emplace_back(static_cast<int>(i), static_cast<int>(first));
  }
  return hidden;
}

size_t RouteTable::memory_bytes() const {
  return sizeof *this + sizeof *index_ - sizeof index_->first_match +
         index_->first_match.memory_bytes() + index_->patterns.capacity() * sizeof(Index::Pattern) +
         index_->text.capacity();
}

}  // namespace sluice::route
