// ClientHellos: once decided, more bytes change nothing; a name is one that can be looked up.
#include "common/base/check.h"
#include "dataplane/tls/client_hello.h"

namespace sluice::tls {
namespace {

void CheckOne(std::string_view bytes) {
  using State = ClientHello::State;
  const ClientHello whole = ReadClientHello(bytes);
  SLUICE_CHECK(whole.state == State::kDone || whole.server_name.empty());
  SLUICE_CHECK(whole.server_name.size() <= 255);
  for (const char c : whole.server_name)
    SLUICE_CHECK(c > ' ' && c < 0x7f && !(c >= 'A' && c <= 'Z'));
  bool decided = false;
  for (size_t size = 0; size <= bytes.size() && size <= 2048; ++size) {
    const ClientHello part = ReadClientHello(bytes.substr(0, size));
    if (part.state != State::kNeedMore) decided = true;
    if (!decided) continue;
    SLUICE_CHECK(part.state == whole.state && part.server_name == whole.server_name);
  }
}

}  // namespace
}  // namespace sluice::tls

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sluice::tls::CheckOne({reinterpret_cast<const char*>(data), size});
  return 0;
}
