// What is sent of an event, and how its receiver knows that it is ours.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "controlplane/notify/event.h"

namespace sluice::notify {

// One JSON object.
std::string BodyOf(const Event& event, std::string_view delivery_id);

// New at every call.
std::string NewDeliveryId();

// "t=<unix seconds>,v1=<hex>": HMAC-SHA256 with the secret over "t.body". The time is in it, so
// that a receiver can refuse what was recorded long ago.
std::string Sign(std::string_view secret, int64_t unix_seconds, std::string_view body);

}  // namespace sluice::notify
