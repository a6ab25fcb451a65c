#include "dataplane/tls/client_hello.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace sluice::tls {
namespace {

using State = ClientHello::State;

constexpr uint8_t kHandshakeRecord = 22;
constexpr uint8_t kClientHello = 1;
constexpr size_t kRecordHeadBytes = 5;
constexpr size_t kRecordBytesMax = 16 * 1024;
constexpr size_t kMessageHeadBytes = 4;

// Takes values off the front; once something is missing, everything is.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  uint32_t Number(size_t bytes) {
    uint32_t value = 0;
    for (const char byte : Take(bytes)) value = value << 8 | static_cast<uint8_t>(byte);
    return value;
  }
  std::string_view Take(size_t bytes) {
    if (bytes > rest_.size()) {
      short_ = true;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
  }
  // A vector whose length stands before it.
  std::string_view Vector(size_t length_bytes) { return Take(Number(length_bytes)); }
  bool ok() const { return !short_; }
  bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool short_ = false;
};

bool IsNameByte(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' || c == '_';
}

// False: malformed.
bool ReadServerName(std::string_view extension, std::string* name) {
  constexpr uint32_t kHostName = 0;
  constexpr size_t kNameBytesMax = 255;
  Reader outer(extension);
  Reader list(outer.Vector(2));
  if (!outer.ok() || !outer.empty() || list.empty()) return false;
  while (!list.empty()) {
    const uint32_t type = list.Number(1);
    const std::string_view value = list.Vector(2);
    if (!list.ok()) return false;
    if (type != kHostName) continue;
    const bool good = !value.empty() && value.size() <= kNameBytesMax &&
                      std::all_of(value.begin(), value.end(), IsNameByte);
    if (!good || !name->empty()) return false;
    *name = absl::AsciiStrToLower({value.data(), value.size()});
  }
  return true;
}

ClientHello ReadMessage(std::string_view message) {
  constexpr uint32_t kServerNameExtension = 0;
  const ClientHello malformed{.state = State::kNotTls, .server_name = {}};
  ClientHello hello{.state = State::kDone, .server_name = {}};
  Reader reader(message);
  reader.Take(2 + 32);  // Version, random.
  reader.Vector(1);     // Session id.
  reader.Vector(2);     // Cipher suites.
  reader.Vector(1);     // Compression methods.
  if (!reader.ok()) return malformed;
  Reader extensions(reader.empty() ? std::string_view() : reader.Vector(2));
  if (!reader.ok() || !reader.empty()) return malformed;
  bool named = false;
  while (!extensions.empty()) {
    const uint32_t type = extensions.Number(2);
    const std::string_view value = extensions.Vector(2);
    if (!extensions.ok()) return malformed;
    if (type != kServerNameExtension) continue;
    if (named || !ReadServerName(value, &hello.server_name)) return malformed;
    named = true;
  }
  return hello;
}

}  // namespace

ClientHello ReadClientHello(std::string_view bytes) {
  const ClientHello kNothing{.state = State::kNotTls, .server_name = {}};
  std::string message;  // What records carry, one behind the other.
  while (!bytes.empty()) {
    if (static_cast<uint8_t>(bytes[0]) != kHandshakeRecord) return kNothing;
    if (bytes.size() > 1 && bytes[1] != 3) return kNothing;
    if (bytes.size() < kRecordHeadBytes) return {};
    const size_t length = Reader(bytes.substr(3)).Number(2);
    if (length == 0 || length > kRecordBytesMax) return kNothing;
    bytes.remove_prefix(kRecordHeadBytes);
    const std::string_view payload = bytes.substr(0, length);
    bytes.remove_prefix(payload.size());
    message += payload;
    if (!message.empty() && static_cast<uint8_t>(message[0]) != kClientHello) return kNothing;
    if (message.size() < kMessageHeadBytes) continue;
    const size_t message_bytes = Reader(std::string_view(message).substr(1)).Number(3);
    if (message_bytes > kClientHelloBytesMax) return kNothing;
    if (message.size() < kMessageHeadBytes + message_bytes) continue;
    return ReadMessage(std::string_view(message).substr(kMessageHeadBytes, message_bytes));
  }
  return {};
}

}  // namespace sluice::tls
