#include "dataplane/control/config_dump.h"

#include <google/protobuf/util/json_util.h>

#include <type_traits>

#include "common/base/hash.h"
#include "sluice/v1/certificate.pb.h"
#include "sluice/v1/cluster.pb.h"
#include "sluice/v1/listener.pb.h"
#include "sluice/v1/route.pb.h"
#include "sluice/v1/settings.pb.h"

namespace sluice::control {
namespace {

using nlohmann::json;

json ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text, options).ok()) return {};
  return json::parse(text, nullptr, false);
}

template <typename Message>
json BodyJson(const v1::Resource& resource) {
  Message message;
  if (!message.ParseFromString(resource.body())) return {};
  if constexpr (std::is_same_v<Message, v1::Certificate>) {
    const std::string chain_sha256 = base::HexEncode(base::Sha256(message.chain_pem()));
    const std::string key_sha256 = base::HexEncode(base::Sha256(message.key_pem()));
    message.clear_chain_pem();
    message.clear_key_pem();
    json body = ToJson(message);
    body["chain_sha256"] = chain_sha256;
    body["key_sha256"] = key_sha256;
    return body;
  } else {
    return ToJson(message);
  }
}

json BodyJson(const v1::Resource& resource) {
  switch (resource.kind()) {
    case v1::RESOURCE_KIND_SETTINGS:
      return BodyJson<v1::Settings>(resource);
    case v1::RESOURCE_KIND_LISTENER:
      return BodyJson<v1::Listener>(resource);
    case v1::RESOURCE_KIND_ROUTE_TABLE:
      return BodyJson<v1::RouteTable>(resource);
    case v1::RESOURCE_KIND_CLUSTER:
      return BodyJson<v1::Cluster>(resource);
    case v1::RESOURCE_KIND_CERTIFICATE:
      return BodyJson<v1::Certificate>(resource);
    default:
      return {};  // Of a newer controller: unknown, so nothing of it is shown.
  }
}

}  // namespace

json DumpConfig(const snapshot::Resources& resources, const v1::Version& version) {
  json list = json::array();
  for (const auto& resource : resources) {
    list.push_back({{"kind", snapshot::KindName(resource->kind())},
                    {"name", resource->name()},
                    {"sha256", base::HexEncode(resource->sha256())},
                    {"body", BodyJson(*resource)}});
  }
  return {{"version",
           {{"epoch", version.epoch()},
            {"revision", version.revision()},
            {"root", base::HexEncode(version.root())}}},
          {"resources", std::move(list)}};
}

}  // namespace sluice::control
