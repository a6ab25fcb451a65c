// Trailers of gRPC-Web: the fields read out of the frame are those that went in.
#include <string>

#include "common/base/check.h"
#include "dataplane/grpc/web_trailers.h"
#include "dataplane/http/char_class.h"
#include "dataplane/http/feed_for_test.h"

namespace sluice::grpc {
namespace {

std::vector<http::Field> FieldsOf(std::string_view text) {
  std::vector<http::Field> fields;
  while (!text.empty()) {
    const size_t end = std::min(text.find("\r\n"), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 2, text.size()));
    const size_t colon = std::min(line.find(':'), line.size());
    const std::string_view value = http::TrimOws(line.substr(std::min(colon + 1, line.size())));
    if (http::IsToken(line.substr(0, colon)) &&
        std::all_of(value.begin(), value.end(), http::IsFieldValueChar)) {
      fields.push_back({line.substr(0, colon), value});
    }
  }
  return fields;
}

void CheckOne(std::string_view bytes) {
  const std::vector<http::Field> fields = FieldsOf(bytes);
  std::string frame;
  WriteTrailerFrame(fields, &frame);
  SLUICE_CHECK(frame.size() >= 5 && static_cast<unsigned char>(frame[0]) == 0x80);
  size_t length = 0;
  for (size_t i = 1; i < 5; ++i) length = length * 256 + static_cast<unsigned char>(frame[i]);
  SLUICE_CHECK(length == frame.size() - 5);
  const std::vector<http::Field> again = FieldsOf(std::string_view(frame).substr(5));
  SLUICE_CHECK(again.size() == fields.size());
  for (size_t i = 0; i < fields.size(); ++i) {
    SLUICE_CHECK(http::EqualsLower(fields[i].name, again[i].name));
    SLUICE_CHECK(fields[i].value == again[i].value);
  }
}

}  // namespace
}  // namespace sluice::grpc

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sluice::grpc::CheckOne({reinterpret_cast<const char*>(data), size});
  return 0;
}
