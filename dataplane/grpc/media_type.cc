#include "dataplane/grpc/media_type.h"

#include <algorithm>

#include "dataplane/http/char_class.h"

namespace sluice::grpc {
namespace {

constexpr std::string_view kGrpcName = "application/grpc";
constexpr std::string_view kGrpcWebName = "application/grpc-web";
constexpr std::string_view kGrpcWebTextName = "application/grpc-web-text";

std::string_view NameOf(MediaType type) {
  switch (type) {
    case MediaType::kGrpc:
      return kGrpcName;
    case MediaType::kGrpcWeb:
      return kGrpcWebName;
    case MediaType::kGrpcWebText:
      return kGrpcWebTextName;
    case MediaType::kOther:
      return {};
  }
  __builtin_unreachable();
}

std::string_view WithoutParameters(std::string_view content_type) {
  return http::TrimOws(content_type.substr(0, content_type.find(';')));
}

// "+proto" of application/grpc+proto.
std::string_view FormatOf(std::string_view media_type) {
  return media_type.substr(std::min(media_type.find('+'), media_type.size()));
}

}  // namespace

MediaType MediaTypeOf(std::string_view content_type) {
  // Other types mostly differ in their first letter behind "application/".
  constexpr size_t kTelling = std::string_view("application/").size();
  if (content_type.size() < kGrpcName.size() || http::ToLower(content_type[kTelling]) != 'g' ||
      !http::EqualsLower(content_type.substr(0, kGrpcName.size()), kGrpcName)) {
    return MediaType::kOther;
  }
  const std::string_view media_type = WithoutParameters(content_type);
  const std::string_view format = FormatOf(media_type);
  if (!format.empty() && !http::IsToken(format.substr(1))) return MediaType::kOther;
  const std::string_view name = media_type.substr(0, media_type.size() - format.size());
  for (const MediaType type : {MediaType::kGrpc, MediaType::kGrpcWeb, MediaType::kGrpcWebText}) {
    if (http::EqualsLower(name, NameOf(type))) return type;
  }
  return MediaType::kOther;
}

MediaType ResponseTypeOf(MediaType request, std::string_view accept) {
  while (!accept.empty()) {
    const size_t comma = std::min(accept.find(','), accept.size());
    const MediaType type = MediaTypeOf(http::TrimOws(accept.substr(0, comma)));
    if (type == MediaType::kGrpcWeb || type == MediaType::kGrpcWebText) return type;
    accept.remove_prefix(std::min(comma + 1, accept.size()));
  }
  return request;
}

void Translate(std::string_view content_type, MediaType to, std::string* out) {
  out->assign(NameOf(to));
  out->append(FormatOf(WithoutParameters(content_type)));
}

}  // namespace sluice::grpc
