// Documents and certificates for the tests of this folder.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "common/base/file.h"
#include "common/config/testing_certificates.h"
#include "controlplane/build/snapshot_builder.h"

namespace sluice::build::testing_documents {

inline constexpr int64_t kNow = 1'800'000'000;  // 2027-01-15.

inline v1::Document DocumentOf(std::string_view yaml) {
  v1::Document document;
  auto& file = *document.add_files();
  file.set_path("a.yaml");
  file.set_content(std::string(yaml));
  return document;
}

inline void SendAlong(std::string path, std::string content, v1::Document* document) {
  auto& file = *document->add_referenced();
  file.set_path(std::move(path));
  file.set_content(std::move(content));
}

inline BuildResult Build(const v1::Document& document) {
  return BuildSnapshot(document, {.read_disk = false, .now_unix = kNow});
}

inline std::string LineOf(const v1::Problem& problem) {
  return fmt::format("{}:{}:{}: {}: {}: {}", problem.file(), problem.line(), problem.column(),
                     problem.severity() == v1::Problem::ERROR ? "error" : "warning", problem.path(),
                     problem.message());
}

inline std::vector<std::string> LinesOf(const BuildResult& result) {
  std::vector<std::string> lines;
  for (const v1::Problem& problem : result.problems) lines.push_back(LineOf(problem));
  return lines;
}

inline std::vector<std::string> ProblemsOf(std::string_view yaml) {
  return LinesOf(Build(DocumentOf(yaml)));
}

template <typename Message>
Message Get(const snapshot::Resources& resources, v1::ResourceKind kind, std::string_view name) {
  Message message;
  for (const auto& resource : resources) {
    if (resource->kind() == kind && resource->name() == name)
      message.ParseFromString(resource->body());
  }
  return message;
}

// A service with one route whose further keys are `route`, indented by 8 columns from line 6 on.
inline std::string WithRoute(std::string_view route) {
  return fmt::format(
      "services:\n"
      "  - name: web\n"
      "    bind_address: '127.0.0.1:8000'\n"
      "    routes:\n"
      "      - name: all\n{}",
      route);
}

// The same, with an upstream of one node and its further keys, indented by 12 columns from line 9
// on.
inline std::string WithUpstream(std::string_view upstream) {
  return WithRoute(
      fmt::format("        upstreams:\n"
                  "          - name: app\n"
                  "            nodes: [{{addr: '10.0.0.1:80'}}]\n{}",
                  upstream));
}

// Further top-level blocks after a service that is fine.
inline std::string WithBlocks(std::string_view blocks) {
  return WithUpstream("") + std::string(blocks);
}

// Further keys of the service, indented by 4 columns from line 4 on.
inline std::string WithService(std::string_view keys) {
  return fmt::format(
      "services:\n"
      "  - name: web\n"
      "    bind_address: '127.0.0.1:8000'\n"
      "{}"
      "    routes:\n"
      "      - name: all\n"
      "        upstreams: [{{name: app, nodes: [{{addr: '10.0.0.1:80'}}]}}]\n",
      keys);
}

inline std::string FileText(const std::string& path) {
  return base::ReadFile(path, 1 << 20).value_or("");
}

}  // namespace sluice::build::testing_documents
