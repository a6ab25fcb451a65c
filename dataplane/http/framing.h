// What the fields of a head say about the message: its body's framing, whether the connection goes
// on (RFC 9112 sections 6 and 9).
#pragma once

#include "dataplane/http/message.h"
#include "dataplane/http/parse_error.h"

namespace sluice::http {

// Gathered from the fields one by one.
struct FramingFields {
  bool has_length = false;
  bool has_encoding = false;
  bool close = false;
  bool keep_alive = false;
  bool upgrade_named = false;
  bool names_fields = false;  // Connection lists fields beyond those.
  bool has_upgrade = false;
  uint64_t content_length = 0;

  // Looks at one field; kNone if it is well-formed or none of ours.
  ParseError Take(const Field& field);

 private:
  ParseError TakeLength(std::string_view value);
  ParseError TakeEncoding(std::string_view value);
  ParseError TakeConnection(std::string_view value);
};

}  // namespace sluice::http
