// Turns a request target's path into the one form that is matched, logged and sent upstream.
//
// The rule, in this order:
//  1. Bytes. Controls, space, DEL, "\", "#", "?" and bytes above 0x7E are refused when they stand
//  raw.
//     Whatever else is printable stays as it is.
//  2. Triplets. "%" must be followed by two hexadecimal digits. Triplets of unreserved characters
//     (RFC 3986 section 2.3: letters, digits, "-", ".", "_", "~") are decoded, once: what comes out
//     is not looked at again, so "%252e" stays "%252e". Triplets of controls, NUL, DEL and "\" are
//     refused. Triplets of bytes above 0x7F must, taken together, be well-formed UTF-8 (no overlong
//     forms such as
//     "%c0%ae"). All triplets that stay get upper-case digits. "%2F" stays and is reported.
//  3. Slashes. A run of "/" becomes one.
//  4. Dot segments ("." and "..", RFC 3986 section 5.2.4) are resolved; ".." at the root is
//  refused.
//     A dot segment with a parameter ("..;x", "..%3Bx"), a segment that is nothing but parameters
//     (";x", which some servers take for an empty one), and a dot segment beside an encoded slash
//     ("..%2F") are refused, for upstreams disagree on them.
//
// Path parameters (";" to the end of a segment) are kept, but take no part in matching: see
// match.h. Case, trailing dots and encoded blanks are left alone; they match as written. The result
// is a fixed point: normalising it again changes nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::route {

enum class PathError : uint8_t {
  kNone,
  kBadPercent,       // "%" not followed by two hex digits.
  kForbiddenByte,    // Control, NUL, backslash, raw or encoded; bytes not allowed in a path.
  kEncodedSlash,     // %2F beside a dot segment; and for callers: %2F on a route that refuses it.
  kClimbsAboveRoot,  // ".." with nothing left to remove.
  kDotSegmentWithParameter,  // "..;x"; also ";x" alone.
};

struct NormalizedPath {
  PathError error = PathError::kNone;
  bool has_encoded_slash = false;  // Only routes with keep_encoded_slashes may serve it.
};

// `path` begins with "/" and has neither query nor fragment (else kForbiddenByte). When it is
// already in normal form `*out` is a view of `path`, and in the common case (no "%", no segment
// that begins with a dot) `scratch` is untouched; otherwise the result is written to `*scratch` and
// `*out` views it. After an error `*out` is empty. Hot path: vectorised scan, no allocation in the
// common case.
NormalizedPath NormalizePath(std::string_view path, std::string* scratch, std::string_view* out);

// A short sentence for people; empty for kNone.
std::string_view Describe(PathError error);

}  // namespace sluice::route
