// interop_client: runs a gRPC interoperability case against a server; the exit code says whether it
// went as described.
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <thread>

#include "tests/interop/cases.h"

namespace sluice::interop {
namespace {

struct ClientOptions {
  std::string server;
  std::string case_name;
  std::string tls_ca;     // Clear text without.
  std::string authority;  // What the server is called, in the certificate too; else `server`.
  int calls = 1;          // Of the case, one after the other,
  int parallel = 1;       // by so many threads, all on one connection.
};

std::shared_ptr<::grpc::Channel> ChannelOf(const ClientOptions& options) {
  ::grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  // What a server's GOAWAY crosses is sent again by the library, if it has kept it: 256 KiB of a
  // call unless told otherwise, which large_unary exceeds.
  arguments.SetInt(GRPC_ARG_PER_RPC_RETRY_BUFFER_SIZE, 4 << 20);
  if (!options.authority.empty()) {
    arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, options.authority);
  }
  if (options.tls_ca.empty()) {
    return ::grpc::CreateCustomChannel(options.server, ::grpc::InsecureChannelCredentials(),
                                       arguments);
  }
  if (!options.authority.empty()) arguments.SetSslTargetNameOverride(options.authority);
  std::ifstream file(options.tls_ca, std::ios::binary);
  ::grpc::SslCredentialsOptions tls;
  tls.pem_root_certs.assign(std::istreambuf_iterator<char>(file), {});
  return ::grpc::CreateCustomChannel(options.server, ::grpc::SslCredentials(tls), arguments);
}

int Run(const ClientOptions& options, const Case& chosen) {
  const std::shared_ptr<::grpc::Channel> channel = ChannelOf(options);
  // Otherwise a deadline of a millisecond would pass while there is no connection yet.
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(20))) {
    std::fprintf(stderr, "interop_client: no connection to %s\n", options.server.c_str());
    return 1;
  }
  std::atomic<int> failures = 0;
  const auto call = [&] {
    for (int i = 0; i < options.calls && failures == 0; ++i) {
      const absl::Status status = chosen.run(channel);
      if (status.ok()) continue;
      ++failures;
      std::fprintf(stderr, "interop_client: %s: %s\n", options.case_name.c_str(),
                   std::string(status.message()).c_str());
    }
  };
  std::vector<std::thread> threads;
  for (int i = 1; i < options.parallel; ++i) threads.emplace_back(call);
  call();
  for (std::thread& thread : threads) thread.join();
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace sluice::interop

int main(int argc, char** argv) {
  sluice::interop::ClientOptions options;
  std::map<std::string, const sluice::interop::Case*> cases;
  for (const auto& one : sluice::interop::Cases()) cases.emplace(one.name, &one);
  CLI::App app("Runs a gRPC interoperability case");
  app.add_option("--server", options.server, "host:port")->required();
  app.add_option("--case", options.case_name, "which")->required()->check(CLI::IsMember(cases));
  app.add_option("--tls-ca", options.tls_ca, "PEM file; speaks TLS")->check(CLI::ExistingFile);
  app.add_option("--authority", options.authority, "what the server is called");
  app.add_option("--calls", options.calls, "times, one after the other")
      ->check(CLI::PositiveNumber);
  app.add_option("--parallel", options.parallel, "threads that do")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  return sluice::interop::Run(options, *cases.at(options.case_name));
}
