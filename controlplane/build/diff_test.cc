#include "controlplane/build/diff.h"

#include <gtest/gtest.h>

#include "common/base/hash.h"
#include "controlplane/build/testing_documents.h"

namespace sluice::build {
namespace {

using Lines = std::vector<std::string>;
using testing_documents::Build;
using testing_documents::DocumentOf;

// "changed route_table/web", then its lines.
Lines Text(const std::vector<v1::ResourceChange>& changes) {
  Lines text;
  for (const v1::ResourceChange& change : changes) {
    text.push_back(fmt::format("{} {}/{}", v1::ResourceChange::Kind_Name(change.kind()),
                               snapshot::KindName(change.resource().kind()),
                               change.resource().name()));
    text.insert(text.end(), change.lines().begin(), change.lines().end());
  }
  return text;
}

Lines Diff(const std::string& from, const std::string& to) {
  const BuildResult a = Build(DocumentOf(from));
  const BuildResult b = Build(DocumentOf(to));
  EXPECT_TRUE(a.ok());
  EXPECT_TRUE(b.ok());
  return Text(DiffResources(a.resources, b.resources));
}

std::string Routes(const std::string& routes) {
  return "services:\n  - name: web\n    bind_address: '127.0.0.1:8000'\n    routes:\n" + routes;
}
std::string Nodes(const std::string& nodes) {
  return Routes("      - {name: r, upstreams: [{name: u, nodes: [" + nodes + "]}]}\n");
}

constexpr char kA[] = "      - {name: a, host: a.test, respond: {status: 200}}\n";
constexpr char kB[] = "      - {name: b, host: b.test, respond: {status: 200}}\n";
constexpr char kC[] = "      - {name: c, host: c.test, respond: {status: 200}}\n";

TEST(DiffTest, NothingChangedIsNothing) { EXPECT_EQ(Diff(Routes(kA), Routes(kA)), Lines()); }

TEST(DiffTest, RoutesAreMatchedByName) {
  const std::string changed = "      - {name: a, host: x.test, respond: {status: 200}}\n";
  EXPECT_EQ(Diff(Routes(std::string(kA) + kB), Routes(kC + changed + kB)),
            Lines({"CHANGED route_table/web", "+ routes[c].name: 'c'", "+ routes[c].host: 'c.test'",
                   "+ routes[c].respond.status: 200",
                   "+ routes[c].respond.content_type: 'text/plain; charset=utf-8'",
                   "- routes[a].host: 'a.test'", "+ routes[a].host: 'x.test'"}));
}

TEST(DiffTest, OrderIsShownByWhatMoved) {
  EXPECT_EQ(
      Diff(Routes(std::string(kA) + kB + kC), Routes(std::string(kC) + kA + kB)),
      Lines({"CHANGED route_table/web", "- routes[c]: position 3", "+ routes[c]: position 1"}));
}

TEST(DiffTest, WhatIsEqualAtBothEndsKeepsItsPositions) {
  const std::string first = "      - {name: first, host: f.test, respond: {status: 200}}\n";
  const std::string last = "      - {name: last, host: l.test, respond: {status: 200}}\n";
  EXPECT_EQ(Diff(Routes(first + kA + kB + last), Routes(first + kB + kA + last)).size(), 3u);
  EXPECT_EQ(
      Diff(Routes(first + kA + kB + kC + last), Routes(first + kC + kA + kB + last)),
      Lines({"CHANGED route_table/web", "- routes[c]: position 4", "+ routes[c]: position 2"}));
  EXPECT_EQ(Diff(Routes(first + kA + last), Routes(first + last)).front(),
            "CHANGED route_table/web");
}

TEST(DiffTest, AnotherActionTakesThePlaceOfTheFirst) {
  EXPECT_EQ(
      Diff(Routes(kA), Routes("      - {name: a, host: a.test, redirect: {scheme: https}}\n")),
      Lines({"CHANGED route_table/web", "- routes[a].respond.status: 200",
             "- routes[a].respond.content_type: 'text/plain; charset=utf-8'",
             "+ routes[a].redirect.status: 308", "+ routes[a].redirect.scheme: 'https'"}));
}

TEST(DiffTest, NodesAreMatchedByAddress) {
  EXPECT_EQ(
      Diff(Nodes("{addr: '10.0.0.1:80'}, {addr: '10.0.0.2:80'}"),
           Nodes("{addr: '10.0.0.2:80', weight: 2}, {addr: '10.0.0.3:80'}")),
      Lines(
          {"CHANGED cluster/u", "- endpoints[10.0.0.2:80].weight: 1",
           "+ endpoints[10.0.0.2:80].weight: 2", "+ endpoints[10.0.0.3:80].address: '10.0.0.3:80'",
           "+ endpoints[10.0.0.3:80].weight: 1", "- endpoints[10.0.0.1:80].address: '10.0.0.1:80'",
           "- endpoints[10.0.0.1:80].weight: 1"}));
}

TEST(DiffTest, ResourcesAreAddedAndRemoved) {
  const Lines lines = Diff("services: []\n", Routes(kA));
  ASSERT_GE(lines.size(), 3u);
  EXPECT_EQ(lines[0], "ADDED listener/web");
  EXPECT_EQ(lines[1], "+ name: 'web'");
  EXPECT_EQ(Diff(Routes(kA), "services: []\n")[0], "REMOVED listener/web");
}

TEST(DiffTest, SecretsAreShownAsDigestsOnly) {
  const auto one = config::testing_certificates::MakeSelfSigned();
  const auto two = config::testing_certificates::MakeSelfSigned();
  const auto with = [](const config::testing_certificates::Pair& pair) {
    v1::Document document = DocumentOf(
        testing_documents::WithService("    tls: {cert_path: a.pem, key_path: a.key}\n"));
    testing_documents::SendAlong("a.pem", pair.chain_pem, &document);
    testing_documents::SendAlong("a.key", pair.key_pem, &document);
    return Build(document).resources;
  };
  const auto digest = [](const std::string& text) {
    return "sha256:" + base::HexEncode(base::Sha256(text));
  };
  EXPECT_EQ(Text(DiffResources(with(one), with(two))),
            Lines({"CHANGED certificate/a.pem", "- chain_pem: " + digest(one.chain_pem),
                   "+ chain_pem: " + digest(two.chain_pem), "- key_pem: " + digest(one.key_pem),
                   "+ key_pem: " + digest(two.key_pem)}));
}

TEST(DiffTest, LinesOfOneResourceAreBounded) {
  std::string routes;
  for (int i = 0; i < 1000; ++i) {
    routes +=
        fmt::format("      - {{name: r{}, host: h{}.test, respond: {{status: 200}}}}\n", i, i);
  }
  const BuildResult none = Build(DocumentOf("services: []\n"));
  const BuildResult many = Build(DocumentOf(Routes(routes)));
  const auto changes = DiffResources(none.resources, many.resources);
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[1].lines_size(), 2001);
  EXPECT_EQ(changes[1].lines(2000), "... and 2001 more lines");
}

}  // namespace
}  // namespace sluice::build
