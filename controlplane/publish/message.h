// A message to proxies as its bytes: encoded once, shared by every node it goes to.
//
// Immutable, hence thread-safe.
#pragma once

#include <memory>
#include <string>

#include "sluice/v1/control_service.pb.h"

namespace sluice::publish {

struct Message {
  v1::ControllerMessage::MessageCase kind = v1::ControllerMessage::MESSAGE_NOT_SET;
  std::string bytes;

  // Part of the way to a prepared snapshot, void as soon as a newer offer is made.
  bool is_of_offer() const {
    return kind == v1::ControllerMessage::kOffer || kind == v1::ControllerMessage::kChunk ||
           kind == v1::ControllerMessage::kPrepare;
  }
};

using SharedMessage = std::shared_ptr<const Message>;

inline SharedMessage Encode(const v1::ControllerMessage& message) {
  return std::make_shared<const Message>(
      Message{message.message_case(), message.SerializeAsString()});
}

}  // namespace sluice::publish
