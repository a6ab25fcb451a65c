#include "dataplane/h2/response_head.h"

#include <charconv>

#include "dataplane/http/field_id.h"
#include "dataplane/http/framing.h"

namespace sluice::h2 {

using http::Field;
using http::Framing;
using http::ParseError;

namespace {

bool TakeStatus(std::string_view value, uint16_t* status) {
  const char* const end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, *status);
  return error == std::errc() && stop == end && value.size() == 3 && *status >= 100;
}

}  // namespace

bool ReadResponseHead(const FieldBlock& block, http::Method method, bool end,
                      http::ResponseHead* head) {
  head->reason = {};
  head->fields.clear();
  head->status = 0;
  head->minor_version = 1;
  head->keep_alive = true;
  head->connection_names_fields = false;
  head->keep_alive_timeout_seconds = 0;
  http::FramingFields framing;
  for (size_t i = 0; i < block.count(); ++i) {
    const auto [name, value] = block[i];
    if (name == ":status") {
      if (!TakeStatus(value, &head->status)) return false;
      continue;
    }
    const Field field{name, value, http::IdentifyField(name)};
    if (framing.Take(field) != ParseError::kNone) return false;
    head->fields.push_back(field);
  }
  if (head->status == 0 || framing.has_encoding) return false;
  head->content_length = framing.content_length;
  const bool bodiless = method == http::Method::kHead || head->status < 200 ||
                        head->status == 204 || head->status == 304;
  if (bodiless) {
    head->framing = Framing::kNone;
  } else if (framing.has_length) {
    head->framing = Framing::kLength;
  } else if (end) {
    head->framing = Framing::kLength;
    head->content_length = 0;
  } else {
    head->framing = Framing::kChunked;
  }
  return true;
}

}  // namespace sluice::h2
