#include "controlplane/build/snapshot_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <exception>
#include <utility>

#include "common/base/log.h"
#include "common/config/validate.h"
#include "controlplane/build/referenced_files.h"
#include "controlplane/build/references.h"
#include "controlplane/build/request_tests.h"
#include "controlplane/build/resolution.h"
#include "controlplane/build/sources.h"
#include "controlplane/yaml/draft.h"

namespace sluice::build {
namespace {

using snapshot::MakeResource;

std::vector<std::string> FileNames(const v1::Document& document) {
  std::vector<std::string> names;
  for (const v1::SourceFile& file : document.files()) names.push_back(file.path());
  return names;
}

snapshot::Resources MakeResources(const yaml::Draft& draft,
                                  const std::vector<v1::Certificate>& certificates) {
  snapshot::Resources resources;
  resources.push_back(MakeResource(v1::RESOURCE_KIND_SETTINGS, "settings", draft.settings));
  for (const yaml::ServiceDraft& service : draft.services) {
    const std::string& name = service.name.text;
    resources.push_back(MakeResource(v1::RESOURCE_KIND_LISTENER, name, service.listener));
    resources.push_back(MakeResource(v1::RESOURCE_KIND_ROUTE_TABLE, name, service.routes));
  }
  for (const yaml::UpstreamDraft& upstream : draft.upstreams) {
    resources.push_back(
        MakeResource(v1::RESOURCE_KIND_CLUSTER, upstream.name.text, upstream.cluster));
  }
  for (const v1::Certificate& certificate : certificates) {
    resources.push_back(
        MakeResource(v1::RESOURCE_KIND_CERTIFICATE, certificate.name(), certificate));
  }
  return resources;
}

// "file:line:column" back into its parts; the file may have colons of its own.
void SetPlace(std::string_view source, v1::Problem* problem) {
  uint32_t numbers[2] = {0, 0};  // Column, then line.
  for (uint32_t& number : numbers) {
    const size_t colon = source.rfind(':');
    if (colon == std::string_view::npos) break;
    std::from_chars(source.data() + colon + 1, source.data() + source.size(), number);
    source = source.substr(0, colon);
  }
  problem->set_file(std::string(source));
  problem->set_line(numbers[1]);
  problem->set_column(numbers[0]);
}

// What validation finds that the reader let pass. Told at the place in the document.
void AddValidationErrors(const std::vector<v1::ResourceError>& errors, const SourceMap& sources,
                         std::vector<v1::Problem>* problems) {
  for (const v1::ResourceError& error : errors) {
    v1::Problem& problem = problems->emplace_back();
    SetPlace(FindSource(sources, error.resource(), error.field()), &problem);
    problem.set_path(fmt::format("{}/{}{}{}", snapshot::KindName(error.resource().kind()),
                                 error.resource().name(), error.field().empty() ? "" : "#",
                                 error.field()));
    problem.set_message(error.message());
  }
}

void WarnOfUnreachableRoutes(const yaml::Draft& draft, const Resolver& resolver,
                             yaml::Problems* problems) {
  for (const yaml::ServiceDraft& service : draft.services) {
    const auto table = resolver.tables().find(service.name.text);
    if (table == resolver.tables().end()) continue;
    for (const auto& [hidden, by] : table->second.Unreachable()) {
      const yaml::Mention& route = service.route_names[static_cast<size_t>(hidden)];
      const yaml::Mention& other = service.route_names[static_cast<size_t>(by)];
      problems->Warn(
          route.place, route.path,
          fmt::format("no request can reach this route: {} at {} takes them all; move it "
                      "up, or remove it",
                      yaml::Quoted(other.text), problems->Format(other.place)));
    }
  }
}

// False only where no key can name a file: most large documents are all routes, and need not be
// read. A backslash may hide letters of a key.
bool MayReferToFiles(const v1::Document& document) {
  constexpr std::string_view kSigns[] = {"cert_path", "key_path", "ca_path", "ocsp_path", "\\"};
  for (const v1::SourceFile& file : document.files()) {
    for (const std::string_view sign : kSigns) {
      if (file.content().find(sign) != std::string::npos) return true;
    }
  }
  return false;
}

BuildResult Build(const v1::Document& document, const BuildOptions& options) {
  yaml::Problems problems(FileNames(document));
  yaml::Draft draft = yaml::ReadDraft(document, &problems);
  CheckReferences(draft, &problems);
  ReferencedFiles files(document, options, &problems);
  const std::vector<v1::Certificate> certificates = files.ReadCertificates(draft);
  files.ReadAuthorities(&draft);

  // Everything is read. What follows looks at a whole that makes sense.
  BuildResult result;
  if (problems.has_errors()) {
    result.problems = problems.Sorted();
    return result;
  }
  result.resources = MakeResources(draft, certificates);
  result.rollout = draft.rollout;
  config::ParsedSnapshot parsed;
  const std::vector<v1::ResourceError> errors = config::ParseAndValidate(result.resources, &parsed);
  if (errors.empty()) {
    const Resolver resolver(parsed.listeners, parsed.route_tables);
    WarnOfUnreachableRoutes(draft, resolver, &problems);
    result.tests_run = RunRequestTests(draft.tests, resolver, &problems);
  }
  result.problems = problems.Sorted();
  if (!errors.empty()) {
    AddValidationErrors(errors, MapSources(draft, problems), &result.problems);
  }
  if (!result.ok()) {
    result.resources.clear();
    return result;
  }
  // Names are unique by now: nothing is left that sorting could refuse.
  if (const absl::Status sorted = snapshot::SortAndCheck(&result.resources); !sorted.ok()) {
    v1::Problem& problem = result.problems.emplace_back();
    problem.set_file(problems.file_name(0));
    problem.set_message(std::string(sorted.message()));
    result.resources.clear();
    return result;
  }
  result.root = snapshot::RootOf(result.resources);
  return result;
}

}  // namespace

bool BuildResult::ok() const {
  for (const v1::Problem& problem : problems) {
    if (problem.severity() == v1::Problem::ERROR) return false;
  }
  return true;
}

BuildResult BuildSnapshot(const v1::Document& document, const BuildOptions& options) {
  // The libraries below could throw, if only for lack of memory.
  try {
    return Build(document, options);
  } catch (const std::exception& e) {
    BuildResult failed;
    v1::Problem& problem = failed.problems.emplace_back();
    problem.set_file(document.files().empty() ? "document" : document.files(0).path());
    problem.set_message(fmt::format("the document cannot be built: {}", e.what()));
    return failed;
  }
}

SourceMap SourcesOf(const v1::Document& document) {
  try {  // As above.
    yaml::Problems problems(FileNames(document));
    const yaml::Draft draft = yaml::ReadDraft(document, &problems);
    return MapSources(draft, problems);
  } catch (const std::exception& e) {
    base::LogError("a document cannot be read: {}", e.what());
    return {};
  }
}

std::vector<std::string> ReferencedPaths(const v1::Document& document) {
  if (!MayReferToFiles(document)) return {};
  yaml::Problems ignored(FileNames(document));
  const yaml::Draft draft = yaml::ReadDraft(document, &ignored);
  std::vector<std::string> paths;
  for (const yaml::CertificateFiles& files : draft.certificates) {
    paths.push_back(files.certificate.text);
    paths.push_back(files.key.text);
    if (files.ocsp) paths.push_back(files.ocsp->text);
  }
  for (const yaml::ServiceDraft& service : draft.services) {
    if (service.client_ca) paths.push_back(service.client_ca->text);
  }
  for (const yaml::UpstreamDraft& upstream : draft.upstreams) {
    if (upstream.ca) paths.push_back(upstream.ca->text);
  }
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  return paths;
}

}  // namespace sluice::build
