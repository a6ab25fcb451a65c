#include "controlplane/build/request_tests.h"

#include <fmt/format.h>

#include <optional>
#include <string>

namespace sluice::build {
namespace {

using yaml::Mention;
using yaml::Quoted;

// What became of the request, as the end of a sentence.
std::string Outcome(const Resolution& result) {
  if (result.route == nullptr)
    return fmt::format("the answer is {}: {}", result.status, result.reason);
  if (result.status != 0) {
    return fmt::format("route '{}' answers {} itself", result.route->name(), result.status);
  }
  return fmt::format("route '{}' forwards it", result.route->name());
}

std::string UpstreamsOf(const v1::Route& route) {
  std::string names;
  for (const v1::WeightedCluster& choice : route.forward().clusters()) {
    if (choice.weight() == 0) continue;
    names += fmt::format("{}'{}'", names.empty() ? "" : ", ", choice.cluster());
  }
  return names;
}

bool GoesTo(const v1::Route& route, std::string_view upstream) {
  for (const v1::WeightedCluster& choice : route.forward().clusters()) {
    if (choice.weight() > 0 && choice.cluster() == upstream) return true;
  }
  return false;
}

// Why the route that should have won did not; nothing if it was never asked.
std::string WhyNot(const Resolution& result, std::string_view route) {
  for (const auto& candidate : result.candidates) {
    if (!candidate.matched && result.table->routes(candidate.route).name() == route) {
      return fmt::format(" ('{}' was tried before: {})", route, candidate.reason);
    }
  }
  return {};
}

std::string WrongRoute(const Resolution& result, const std::string& wanted) {
  if (result.route != nullptr && result.route->name() == wanted) return {};
  bool exists = false;
  for (const v1::Route& route : result.table->routes()) exists |= route.name() == wanted;
  if (!exists) {
    return fmt::format("expected route {}, but service '{}' has no such route", Quoted(wanted),
                       result.table->service());
  }
  return fmt::format("expected route {}, but {}{}", Quoted(wanted), Outcome(result),
                     WhyNot(result, wanted));
}

std::string WrongUpstream(const Resolution& result, const std::string& wanted) {
  if (result.status != 0 || result.route == nullptr) {
    return fmt::format("expected upstream {}, but {}", Quoted(wanted), Outcome(result));
  }
  if (GoesTo(*result.route, wanted)) return {};
  return fmt::format("expected upstream {}, but route '{}' goes to {}", Quoted(wanted),
                     result.route->name(), UpstreamsOf(*result.route));
}

std::string WrongPath(const Resolution& result, const std::string& wanted) {
  if (result.status != 0) {
    return fmt::format("expected path {} to be sent, but {}", Quoted(wanted), Outcome(result));
  }
  if (result.path_sent == wanted) return {};
  return fmt::format("expected path {} to be sent, but it is {}", Quoted(wanted),
                     Quoted(result.path_sent));
}

std::string WrongStatus(const Resolution& result, const std::string& wanted) {
  if (std::to_string(result.status) == wanted) return {};
  return fmt::format("expected status {}, but {}", wanted, Outcome(result));
}

using Check = std::string (*)(const Resolution&, const std::string&);

// Empty when `expected` is not given, or holds.
std::string Wrong(const Resolution& result, const std::optional<Mention>& expected, Check check) {
  return expected ? check(result, expected->text) : std::string();
}

void RunTest(const yaml::TestDraft& test, const Resolver& resolver, yaml::Problems* problems) {
  struct Expectation {
    const std::optional<Mention>& expected;
    Check check;
  };
  const Expectation expectations[] = {{test.route, WrongRoute},
                                      {test.upstream, WrongUpstream},
                                      {test.path, WrongPath},
                                      {test.status, WrongStatus}};
  absl::StatusOr<Resolution> result = resolver.Resolve(test.request, false);
  if (!result.ok()) {
    const Mention& culprit = test.service.text.empty() ? test.url : test.service;
    problems->Error(culprit.place, culprit.path,
                    fmt::format("test {} cannot run: {}", Quoted(test.name.text),
                                std::string(result.status().message())));
    return;
  }
  bool holds = true;
  for (const Expectation& e : expectations) holds &= Wrong(*result, e.expected, e.check).empty();
  if (holds) return;
  result = resolver.Resolve(test.request, true);  // Again, with the reasons.
  for (const Expectation& e : expectations) {
    const std::string message = Wrong(*result, e.expected, e.check);
    if (message.empty()) continue;
    problems->Error(e.expected->place, e.expected->path,
                    fmt::format("test {} failed: {}", Quoted(test.name.text), message));
  }
}

}  // namespace

int RunRequestTests(const std::vector<yaml::TestDraft>& tests, const Resolver& resolver,
                    yaml::Problems* problems) {
  for (const yaml::TestDraft& test : tests) RunTest(test, resolver, problems);
  return static_cast<int>(tests.size());
}

}  // namespace sluice::build
