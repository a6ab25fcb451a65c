// Content-Type: a translated type is of the kind it was translated to, and back again the same.
#include <string>

#include "common/base/check.h"
#include "dataplane/grpc/media_type.h"
#include "dataplane/http/char_class.h"
#include "dataplane/http/feed_for_test.h"

namespace sluice::grpc {
namespace {

void CheckOne(std::string_view bytes) {
  const std::unique_ptr<char[]> copy = http::ExactCopy(bytes);
  const std::string_view value(copy.get(), bytes.size());
  const MediaType type = MediaTypeOf(value);
  const MediaType read = ResponseTypeOf(MediaType::kGrpcWeb, value);
  SLUICE_CHECK(read == MediaType::kGrpcWeb || read == MediaType::kGrpcWebText);
  if (type == MediaType::kOther) return;
  SLUICE_CHECK(http::EqualsLower(value.substr(0, 16), "application/grpc"));
  std::string back;
  Translate(value, type, &back);
  for (const MediaType to : {MediaType::kGrpc, MediaType::kGrpcWeb, MediaType::kGrpcWebText}) {
    std::string there, again;
    Translate(value, to, &there);
    SLUICE_CHECK(MediaTypeOf(there) == to && there.find_first_of("; ,\t") == there.npos);
    Translate(there, type, &again);
    SLUICE_CHECK(again == back);
  }
}

}  // namespace
}  // namespace sluice::grpc

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sluice::grpc::CheckOne({reinterpret_cast<const char*>(data), size});
  return 0;
}
