// The frame that ends a gRPC-Web response: what are trailers to gRPC (PROTOCOL-WEB of gRPC).
//
// Hot path: once per call; allocates only what `frame` lacks.
#pragma once

#include <string>
#include <vector>

#include "dataplane/http/message.h"

namespace sluice::grpc {

// Sets `frame` to kTrailerFlag, the length and a line for each field, names in lower case; for text
// EncodeBase64 follows. It is as large as the trailers, which whoever received them has limited;
// fields come without CR and LF as from every parser.
void WriteTrailerFrame(const std::vector<http::Field>& trailers, std::string* frame);

}  // namespace sluice::grpc
