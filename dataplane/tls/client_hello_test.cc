#include "dataplane/tls/client_hello.h"

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>

#include <functional>

#include "dataplane/tls/context.h"

namespace sluice::tls {
namespace {

using State = ClientHello::State;

// What OpenSSL sends first.
std::string HelloOf(const char* name, int max_version = TLS1_3_VERSION) {
  const SslCtxPtr context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_max_proto_version(context.get(), max_version);
  const SslPtr ssl(SSL_new(context.get()));
  BIO* const out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), out);
  if (name != nullptr) SSL_set_tlsext_host_name(ssl.get(), name);
  SSL_set_connect_state(ssl.get());
  SSL_do_handshake(ssl.get());
  char* data = nullptr;
  const long bytes = BIO_get_mem_data(out, &data);
  return std::string(data, static_cast<size_t>(bytes));
}

// The same message in records of at most `size` bytes.
std::string Fragmented(const std::string& hello, size_t size) {
  std::string out;
  for (size_t at = 5; at < hello.size(); at += size) {
    const std::string piece = hello.substr(at, size);
    out += std::string("\x16\x03\x01", 3);
    out += static_cast<char>(piece.size() >> 8);
    out += static_cast<char>(piece.size() & 0xff);
    out += piece;
  }
  return out;
}

TEST(ClientHelloTest, TheNameIsFoundInEveryVersion) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const ClientHello hello = ReadClientHello(HelloOf("A.Example.COM", version));
    EXPECT_EQ(hello.state, State::kDone);
    EXPECT_EQ(hello.server_name, "a.example.com");
  }
}

TEST(ClientHelloTest, NoNameIsNoMistake) {
  const ClientHello hello = ReadClientHello(HelloOf(nullptr));
  EXPECT_EQ(hello.state, State::kDone);
  EXPECT_EQ(hello.server_name, "");
}

TEST(ClientHelloTest, EveryBeginningNeedsMore) {
  const std::string hello = HelloOf("a.test");
  for (size_t size = 0; size < hello.size(); ++size) {
    ASSERT_EQ(ReadClientHello(hello.substr(0, size)).state, State::kNeedMore) << size;
  }
}

TEST(ClientHelloTest, ItMayComeInManyRecords) {
  const std::string hello = HelloOf("a.test");
  for (const size_t size : {1, 2, 3, 7, 100}) {
    const std::string cut = Fragmented(hello, size);
    EXPECT_EQ(ReadClientHello(cut).server_name, "a.test") << size;
    EXPECT_EQ(ReadClientHello(cut.substr(0, cut.size() - 1)).state, State::kNeedMore) << size;
  }
}

TEST(ClientHelloTest, OtherProtocolsAreToldAtOnce) {
  for (const char* bytes :
       {"G", "GET / HTTP/1.1\r\n", "SSH-2.0-x", "\x80", "\x16\x02", "\x15\x03"}) {
    EXPECT_EQ(ReadClientHello(bytes).state, State::kNotTls) << bytes;
  }
}

TEST(ClientHelloTest, WhatCannotBeOneIsRefused) {
  const std::string good = HelloOf("a.test");
  const auto after = [&good](const std::function<void(std::string*)>& change) {
    std::string hello = good;
    change(&hello);
    return ReadClientHello(hello);
  };
  // A record of nothing; one that is too long.
  EXPECT_EQ(after([](auto* h) { (*h)[3] = (*h)[4] = 0; }).state, State::kNotTls);
  EXPECT_EQ(after([](auto* h) { (*h)[3] = '\xff'; }).state, State::kNotTls);
  // Another message; one of sixteen megabytes.
  EXPECT_EQ(after([](auto* h) { (*h)[5] = 2; }).state, State::kNotTls);
  EXPECT_EQ(after([](auto* h) { (*h)[6] = '\xff'; }).state, State::kNotTls);
  // A session id that is longer than the message.
  EXPECT_EQ(after([](auto* h) { (*h)[5 + 4 + 34] = '\xff'; }).state, State::kNotTls);
  // A name with a blank, or a NUL, in it.
  const size_t name = good.find("a.test");
  for (const char c : {' ', '\0', '\x80', '/'}) {
    EXPECT_EQ(after([&](auto* h) { (*h)[name + 1] = c; }).state, State::kNotTls);
  }
  // An extension behind the name says that it is longer than what is left.
  const ClientHello cut = after([&](auto* h) { (*h)[name + 6 + 2] = '\xff'; });
  EXPECT_EQ(cut.state, State::kNotTls);
  EXPECT_EQ(cut.server_name, "") << "nothing of it is believed";
  // Its length is not that of its list.
  EXPECT_EQ(after([&](auto* h) { ++(*h)[name - 1]; }).state, State::kNotTls);
}

}  // namespace
}  // namespace sluice::tls
