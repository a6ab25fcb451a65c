// A whole controller in the test's own process: store in a folder, hub, gRPC streams for nodes.
#pragma once

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "controlplane/apply/controller.h"
#include "controlplane/publish/control_service.h"
#include "controlplane/publish/testing_node.h"
#include "controlplane/store/testing_folder.h"
#include "controlplane/trust/guard.h"

namespace sluice::apply::testing {

using publish::testing::kDeadline;
using publish::testing::TestNode;

// One service with as many routes; the first answers with `word`.
inline std::string Yaml(const std::string& word, int routes = 1) {
  std::string text =
      "services:\n"
      "  - name: 'web'\n"
      "    bind_address: '127.0.0.1:18080'\n"
      "    routes:\n";
  for (int i = 0; i < routes; ++i) {
    text += fmt::format(
        "      - name: 'r{0}'\n        path_prefix: '/r{0}'\n"
        "        respond: {{status: 200, body: '{1}'}}\n",
        i, i == 0 ? word : "same");
  }
  return text;
}

inline v1::Document DocumentOf(const std::string& yaml) {
  v1::Document document;
  v1::SourceFile& file = *document.add_files();
  file.set_path("web.yaml");
  file.set_content(yaml);
  return document;
}

class ControllerSetup {
 public:
  explicit ControllerSetup(publish::FleetOptions options = {.prepare_timeout_ms = 30'000,
                                                            .report_interval_ms = 60'000})
      : options_(options) {
    Start();
  }
  ~ControllerSetup() { Stop(); }

  void Start() {
    auto opened = store::VersionStore::Open(folder_.path());
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
    auto trust_store = store::TrustStore::Open(folder_.path());
    ASSERT_TRUE(trust_store.ok()) << trust_store.status();
    trust_store_ = *std::move(trust_store);
    guard_ =
        std::make_unique<trust::Guard>(trust::Guard::Options{.open = true}, *trust_store_, *store_);
    hub_ = std::make_unique<publish::Hub>(options_, *store_);
    controller_ = std::make_unique<Controller>(*store_, *hub_);
    const absl::Status started = controller_->Start();
    ASSERT_TRUE(started.ok()) << started;
    control_ = std::make_unique<publish::ControlService>(*hub_);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(control_.get());
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    address_ = fmt::format("127.0.0.1:{}", port);
  }
  void Stop() {
    if (server_ == nullptr) return;
    hub_->Shutdown(1000);
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
    server_.reset();
    controller_.reset();
    control_.reset();
    hub_.reset();
    guard_.reset();
    trust_store_.reset();
    store_.reset();
  }
  // Offers another service besides, made of what Start made.
  void Serve(const std::function<std::unique_ptr<grpc::Service>(ControllerSetup&)>& make) {
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
    other_ = make(*this);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(control_.get());
    builder.RegisterService(other_.get());
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    address_ = fmt::format("127.0.0.1:{}", port);
  }

  std::shared_ptr<grpc::Channel> NewChannel() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(address_, grpc::InsecureChannelCredentials(), arguments);
  }
  // Connected and known when it returns.
  std::unique_ptr<TestNode> Connect(TestNode::Options options) {
    const std::string id = options.id;
    auto node = std::make_unique<TestNode>(NewChannel(), std::move(options));
    EXPECT_TRUE(WaitFor([&] {
      const v1::FleetStatus status = hub_->Status(id);
      return status.nodes_size() == 1 && status.nodes(0).state() != v1::NodeStatus::UNREACHABLE;
    }));
    return node;
  }
  bool WaitFor(const std::function<bool()>& done) const {
    const auto end = std::chrono::steady_clock::now() + kDeadline;
    for (uint64_t seen = 0; !done();) {
      if (std::chrono::steady_clock::now() > end) return false;
      seen = hub_->Wait(seen, std::chrono::milliseconds(500));
    }
    return true;
  }

  // The last word; all of them in `steps`.
  v1::ApplyProgress Apply(const v1::Document& document, const ChangeRequest& request,
                          std::vector<v1::ApplyProgress>* steps = nullptr) {
    v1::ApplyProgress last;
    controller_->Apply(document, request, [&](const v1::ApplyProgress& progress) {
      if (steps != nullptr) steps->push_back(progress);
      last = progress;
      return true;
    });
    return last;
  }
  v1::ApplyProgress Apply(const std::string& word, int routes = 1) {
    return Apply(DocumentOf(Yaml(word, routes)), FromApi());
  }
  static ChangeRequest FromApi() {
    ChangeRequest request;
    request.author = "ann";
    request.peer = "here";
    request.message = "a message";
    request.source = "api";
    request.wait = true;
    return request;
  }
  v1::ApplyProgress Rollback(uint64_t revision) {
    ChangeRequest request = FromApi();
    request.source = "rollback";
    request.message = "";
    v1::ApplyProgress last;
    controller_->Rollback(revision, request, [&](const v1::ApplyProgress& progress) {
      last = progress;
      return true;
    });
    return last;
  }

  store::VersionStore& store() { return *store_; }
  store::TrustStore& trust_store() { return *trust_store_; }
  trust::Guard& guard() { return *guard_; }  // Everybody may do everything.
  publish::Hub& hub() { return *hub_; }
  Controller& controller() { return *controller_; }
  const std::string& path() const { return folder_.path(); }

 private:
  const publish::FleetOptions options_;
  store::testing::Folder folder_;
  std::unique_ptr<store::VersionStore> store_;
  std::unique_ptr<store::TrustStore> trust_store_;
  std::unique_ptr<trust::Guard> guard_;
  std::unique_ptr<publish::Hub> hub_;
  std::unique_ptr<Controller> controller_;
  std::unique_ptr<publish::ControlService> control_;
  std::unique_ptr<grpc::Service> other_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace sluice::apply::testing
