// interop_server: serves the gRPC interoperability cases and grpc.health.v1 until SIGTERM.
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "tests/interop/test_service.h"

namespace sluice::interop {
namespace {

std::string Content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct ServerOptions {
  std::string listen;
  std::string tls_cert;  // With tls_key; clear text without.
  std::string tls_key;
};

std::shared_ptr<::grpc::ServerCredentials> CredentialsOf(const ServerOptions& options) {
  if (options.tls_cert.empty()) return ::grpc::InsecureServerCredentials();
  ::grpc::SslServerCredentialsOptions tls;
  tls.pem_key_cert_pairs.push_back({Content(options.tls_key), Content(options.tls_cert)});
  return ::grpc::SslServerCredentials(tls);
}

int Serve(const ServerOptions& options) {
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);  // gRPC's threads inherit it.

  ::grpc::EnableDefaultHealthCheckService(true);
  TestServer service;
  ::grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(-1);
  int port = 0;
  builder.AddListeningPort(options.listen, CredentialsOf(options), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<::grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    std::fprintf(stderr, "interop_server: cannot listen on %s\n", options.listen.c_str());
    return 1;
  }
  std::printf("listening on port %d\n", port);
  std::fflush(stdout);
  int signal = 0;
  sigwait(&ending, &signal);
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  return 0;
}

}  // namespace
}  // namespace sluice::interop

int main(int argc, char** argv) {
  sluice::interop::ServerOptions options;
  CLI::App app("Serves the gRPC interoperability cases");
  app.add_option("--listen", options.listen, "host:port")->required();
  auto* cert = app.add_option("--tls-cert", options.tls_cert, "PEM file")->check(CLI::ExistingFile);
  auto* key = app.add_option("--tls-key", options.tls_key, "PEM file")->check(CLI::ExistingFile);
  cert->needs(key);
  key->needs(cert);
  CLI11_PARSE(app, argc, argv);
  return sluice::interop::Serve(options);
}
