// What a running proxy gives to the process that takes its place.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/file.h"
#include "sluice/v1/handover.pb.h"

namespace sluice::restart {

// Raised whenever a message changes its meaning; processes that differ refuse each other.
constexpr uint32_t kHandoverProtocol = 2;
constexpr std::string_view kHandoverSocketName = "handover.sock";  // In the state directory.

struct HandedSocket {
  v1::HandoverSocket::Kind kind;
  std::string address;
  base::UniqueFd fd;
};

struct Handover {
  std::string node_id;
  v1::Version version;
  base::UniqueFd state_lock;
  std::vector<HandedSocket> sockets;
  std::vector<v1::HandoverHealth> healths;
};

}  // namespace sluice::restart
