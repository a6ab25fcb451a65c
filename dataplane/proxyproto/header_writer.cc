#include "dataplane/proxyproto/header_writer.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <cstring>
#include <string_view>

namespace sluice::proxyproto {
namespace {

constexpr std::string_view kUnknown = "PROXY UNKNOWN\r\n";
constexpr size_t kMappedBytes = 12;  // Before the IPv4 address in a v4-mapped one.

char* Put(char* out, std::string_view bytes) {
  std::memcpy(out, bytes.data(), bytes.size());
  return out + bytes.size();
}

char* PutBig16(char* out, size_t number) {
  *out++ = static_cast<char>(number >> 8);
  *out++ = static_cast<char>(number);
  return out;
}

// The part of an address that its family has.
std::string_view Significant(const base::IpBytes& ip, bool v4) {
  const std::string_view all{reinterpret_cast<const char*>(ip.data()), ip.size()};
  return v4 ? all.substr(kMappedBytes) : all;
}

char* PutText(char* out, const base::IpBytes& ip, bool v4) {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(v4 ? AF_INET : AF_INET6, Significant(ip, v4).data(), text, sizeof text);
  return Put(Put(out, text), " ");
}

char* WriteV1(const ConnectionEnds& ends, bool v4, char* out) {
  out = Put(out, v4 ? "PROXY TCP4 " : "PROXY TCP6 ");
  out = PutText(out, ends.source, v4);
  out = PutText(out, ends.destination, v4);
  return fmt::format_to(out, "{} {}\r\n", ends.source_port, ends.destination_port);
}

char* WriteV2(const ConnectionEnds& ends, bool v4, char* out) {
  out = Put(Put(out, kV2Signature), v4 ? "\x21\x11" : "\x21\x21");
  out = PutBig16(out, v4 ? 12 : 36);
  out = Put(out, Significant(ends.source, v4));
  out = Put(out, Significant(ends.destination, v4));
  return PutBig16(PutBig16(out, ends.source_port), ends.destination_port);
}

}  // namespace

size_t WriteHeader(HeaderVersion version, const ConnectionEnds& ends, char* out) {
  const bool v4 = base::IsIpv4(ends.source) && base::IsIpv4(ends.destination);
  const char* end = out;
  switch (version) {
    case HeaderVersion::kNone:
      break;
    case HeaderVersion::kV1:
      end = WriteV1(ends, v4, out);
      break;
    case HeaderVersion::kV2:
      end = WriteV2(ends, v4, out);
      break;
  }
  return static_cast<size_t>(end - out);
}

size_t WriteLocalHeader(HeaderVersion version, char* out) {
  const char* end = out;
  switch (version) {
    case HeaderVersion::kNone:
      break;
    case HeaderVersion::kV1:
      end = Put(out, kUnknown);
      break;
    case HeaderVersion::kV2:
      end = PutBig16(Put(Put(out, kV2Signature), {"\x20\0", 2}), 0);
      break;
  }
  return static_cast<size_t>(end - out);
}

}  // namespace sluice::proxyproto
