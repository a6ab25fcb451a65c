// Runs command lines in this process and answers them from a scripted controller.
#pragma once

#include <grpcpp/grpcpp.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sluice/v1/admin_service.grpc.pb.h"
#include "tools/sluicectl/command_line.h"

namespace sluice::sluicectl {

inline constexpr int64_t kTestNowMs = 1'700'000'000'000;

struct RunResult {
  ExitCode code = ExitCode::kDone;
  std::string out;
  std::string error;
};

struct RunOptions {
  bool terminal = false;  // Both outputs are one.
  std::string in;
  TerminalSize size;
};

inline RunResult RunLine(const std::vector<std::string>& arguments,
                         const RunOptions& options = {}) {
  // Nothing of the person who runs the tests.
  ::setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
  ::setenv("SLUICE_CONTROLLER_DATA_DIR", "/nonexistent", 0);  // A test may have set it.
  ::setenv("GRPC_VERBOSITY", "NONE", 1);
  RunResult result;
  Console console;
  console.write_out = [&result](std::string_view bytes) { result.out += bytes; };
  console.write_error = [&result](std::string_view bytes) { result.error += bytes; };
  console.read_in = [&options](size_t) -> absl::StatusOr<std::string> { return options.in; };
  console.now_unix_ms = [] { return kTestNowMs; };
  console.size = [&options] { return options.size; };
  console.out_is_terminal = options.terminal;
  console.error_is_terminal = options.terminal;
  result.code = RunCommandLine(arguments, console);
  return result;
}

// An AdminService whose answers are functions; what is not set answers UNIMPLEMENTED.
class FakeController final : public v1::AdminService::Service {
 public:
  template <typename Request, typename Response>
  using Unary = std::function<grpc::Status(const Request&, Response*)>;
  template <typename Request, typename Message>
  using Stream = std::function<grpc::Status(grpc::ServerContext*, const Request&,
                                            grpc::ServerWriter<Message>*)>;

  FakeController() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~FakeController() override { server_->Shutdown(std::chrono::system_clock::now()); }

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  // `arguments` with the flags that lead here.
  RunResult Run(std::vector<std::string> arguments, const RunOptions& options = {}) const {
    arguments.insert(arguments.end(), {"--controller", address(), "--insecure"});
    return RunLine(arguments, options);
  }

  Unary<v1::DiffRequest, v1::DiffResponse> diff;
  Unary<v1::GetStatusRequest, v1::FleetStatus> get_status;
  Unary<v1::ListVersionsRequest, v1::ListVersionsResponse> list_versions;
  Unary<v1::GetConfigRequest, v1::GetConfigResponse> get_config;
  Unary<v1::ExplainRequest, v1::ExplainResponse> explain;
  Unary<v1::NodeActionRequest, v1::NodeActionResponse> node_action;
  Unary<v1::ListAuditRequest, v1::ListAuditResponse> list_audit;
  Unary<v1::GetDiagnosticsRequest, v1::GetDiagnosticsResponse> get_diagnostics;
  Unary<v1::GetRolloutRequest, v1::Rollout> get_rollout;
  Stream<v1::ApplyRequest, v1::ApplyProgress> apply;
  Stream<v1::RollbackRequest, v1::ApplyProgress> rollback;
  Stream<v1::GetStatusRequest, v1::FleetStatus> watch_status;

 private:
  template <typename Answer, typename... Arguments>
  static grpc::Status Call(const Answer& answer, Arguments&&... arguments) {
    if (!answer) return {grpc::StatusCode::UNIMPLEMENTED, "not scripted"};
    return answer(std::forward<Arguments>(arguments)...);
  }

  grpc::Status Diff(grpc::ServerContext*, const v1::DiffRequest* request,
                    v1::DiffResponse* response) override {
    return Call(diff, *request, response);
  }
  grpc::Status GetStatus(grpc::ServerContext*, const v1::GetStatusRequest* request,
                         v1::FleetStatus* response) override {
    return Call(get_status, *request, response);
  }
  grpc::Status ListVersions(grpc::ServerContext*, const v1::ListVersionsRequest* request,
                            v1::ListVersionsResponse* response) override {
    return Call(list_versions, *request, response);
  }
  grpc::Status GetConfig(grpc::ServerContext*, const v1::GetConfigRequest* request,
                         v1::GetConfigResponse* response) override {
    return Call(get_config, *request, response);
  }
  grpc::Status Explain(grpc::ServerContext*, const v1::ExplainRequest* request,
                       v1::ExplainResponse* response) override {
    return Call(explain, *request, response);
  }
  grpc::Status NodeAction(grpc::ServerContext*, const v1::NodeActionRequest* request,
                          v1::NodeActionResponse* response) override {
    return Call(node_action, *request, response);
  }
  grpc::Status ListAudit(grpc::ServerContext*, const v1::ListAuditRequest* request,
                         v1::ListAuditResponse* response) override {
    return Call(list_audit, *request, response);
  }
  grpc::Status GetDiagnostics(grpc::ServerContext*, const v1::GetDiagnosticsRequest* request,
                              v1::GetDiagnosticsResponse* response) override {
    return Call(get_diagnostics, *request, response);
  }
  grpc::Status GetRollout(grpc::ServerContext*, const v1::GetRolloutRequest* request,
                          v1::Rollout* response) override {
    return Call(get_rollout, *request, response);
  }
  grpc::Status Apply(grpc::ServerContext* context, const v1::ApplyRequest* request,
                     grpc::ServerWriter<v1::ApplyProgress>* writer) override {
    return Call(apply, context, *request, writer);
  }
  grpc::Status Rollback(grpc::ServerContext* context, const v1::RollbackRequest* request,
                        grpc::ServerWriter<v1::ApplyProgress>* writer) override {
    return Call(rollback, context, *request, writer);
  }
  grpc::Status WatchStatus(grpc::ServerContext* context, const v1::GetStatusRequest* request,
                           grpc::ServerWriter<v1::FleetStatus>* writer) override {
    return Call(watch_status, context, *request, writer);
  }

  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

// A folder of its own that goes with the test.
class TestFolder {
 public:
  TestFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sluicectl-XXXXXX").string();
    if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  // The full path.
  std::string Write(const std::string& name, const std::string& content) const {
    const std::string path = path_ + "/" + name;
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace sluice::sluicectl
