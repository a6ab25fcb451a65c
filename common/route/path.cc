#include "common/route/path.h"

#include <algorithm>
#include <cstring>

#include "common/base/utf8.h"

namespace sluice::route {
namespace {

// Sixteen bytes at once; the compiler maps them to the machine's vector registers.
using Block = uint8_t __attribute__((vector_size(16)));
constexpr size_t kBlockBytes = sizeof(Block);

Block LoadBlock(const char* bytes) {
  Block block;
  std::memcpy(&block, bytes, sizeof block);
  return block;
}

bool AnySet(Block block) {
  uint64_t halves[2];
  std::memcpy(halves, &block, sizeof halves);
  return (halves[0] | halves[1]) != 0;
}

// Non-zero where a byte needs a closer look: by itself, or as a slash before `next` "/", "." or
// ";".
Block NeedsLook(Block byte, Block next) {
  const auto by_itself = (byte <= 0x20) | (byte >= 0x7F) | (byte == '%') | (byte == '\\') |
                         (byte == '#') | (byte == '?');
  const auto in_pair = (byte == '/') & ((next == '/') | (next == '.') | (next == ';'));
  return reinterpret_cast<Block>(by_itself | in_pair);
}

// True when no step of the rule can change or refuse the path. A lone dot-file segment or a
// harmless triplet is a false alarm that the slow way settles.
bool IsPlain(std::string_view path) {
  // Each block is looked at together with the one that begins a byte later.
  constexpr size_t kWindow = kBlockBytes + 1;
  char padded[kWindow];
  const char* last = path.data() + path.size() - kWindow;
  if (path.size() < kWindow) {
    std::memset(padded, 'a', sizeof padded);
    std::memcpy(padded, path.data(), path.size());
    last = padded;
  }
  Block found{};
  if (path.size() > kWindow) {
    for (const char* at = path.data(); at < last; at += kBlockBytes) {
      found |= NeedsLook(LoadBlock(at), LoadBlock(at + 1));
    }
  }
  found |= NeedsLook(LoadBlock(last), LoadBlock(last + 1));
  // The very last byte is nobody's `byte`, only a `next`.
  const Block final_byte = Block{} + static_cast<uint8_t>(path.back());
  found |= NeedsLook(final_byte, Block{} + uint8_t{'a'});
  return !AnySet(found);
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The byte a triplet at the start of `text` stands for, or -1.
int TripletValue(std::string_view text) {
  if (text.size() < 3 || text[0] != '%') return -1;
  const int high = HexValue(text[1]);
  const int low = HexValue(text[2]);
  return high < 0 || low < 0 ? -1 : high << 4 | low;
}

bool IsUnreserved(int byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

bool IsForbidden(int byte) { return byte < 0x20 || byte == 0x7F || byte == '\\'; }

// May stand raw and means nothing to steps 1 and 2.
bool IsPlainByte(char c) {
  return c > 0x20 && c < 0x7F && c != '%' && c != '\\' && c != '#' && c != '?';
}

void AppendTriplet(int byte, std::string* out) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  *out += '%';
  *out += kDigits[byte >> 4];
  *out += kDigits[byte & 0xF];
}

// How many triplets at the start of `text` make one UTF-8 character; 0 when they make none.
size_t EncodedCharacterTriplets(std::string_view text) {
  char bytes[4];
  size_t count = 0;
  while (count < sizeof bytes) {
    const size_t offset = count * 3;
    const int value = offset < text.size() ? TripletValue(text.substr(offset)) : -1;
    if (value < 0) break;
    bytes[count++] = static_cast<char>(value);
  }
  return base::Utf8Length({bytes, count});
}

// Steps 1 and 2.
PathError DecodeTriplets(std::string_view path, std::string* out) {
  for (size_t i = 0; i < path.size();) {
    size_t plain_end = i;
    while (plain_end < path.size() && IsPlainByte(path[plain_end])) ++plain_end;
    out->append(path, i, plain_end - i);
    i = plain_end;
    if (i == path.size()) break;
    if (path[i] != '%') return PathError::kForbiddenByte;
    const int byte = TripletValue(path.substr(i));
    if (byte < 0) return PathError::kBadPercent;
    if (IsForbidden(byte)) return PathError::kForbiddenByte;
    if (IsUnreserved(byte)) {
      *out += static_cast<char>(byte);
      i += 3;
      continue;
    }
    const size_t triplets = byte < 0x80 ? 1 : EncodedCharacterTriplets(path.substr(i));
    if (triplets == 0) return PathError::kForbiddenByte;
    for (size_t n = 0; n < triplets; ++n, i += 3) AppendTriplet(TripletValue(path.substr(i)), out);
  }
  return PathError::kNone;
}

bool IsDots(std::string_view name) { return name == "." || name == ".."; }

// The segment without its parameters, whether the ";" is encoded or not.
std::string_view NameOf(std::string_view segment) {
  return segment.substr(0, std::min(segment.find(';'), segment.find("%3B")));
}

// What a segment that is not plainly "." or ".." may not be.
PathError CheckSegment(std::string_view segment) {
  if (segment.starts_with(';')) return PathError::kDotSegmentWithParameter;
  if (NameOf(segment).size() < segment.size() && IsDots(NameOf(segment))) {
    return PathError::kDotSegmentWithParameter;
  }
  size_t slash = segment.find("%2F");
  if (slash == std::string_view::npos) return PathError::kNone;
  for (std::string_view rest = segment;; slash = rest.find("%2F")) {
    if (IsDots(NameOf(rest.substr(0, slash)))) return PathError::kEncodedSlash;
    if (slash == std::string_view::npos) return PathError::kNone;
    rest.remove_prefix(slash + 3);
  }
}

// Steps 3 and 4, in place: what is kept never passes what is read.
PathError ResolveSegments(std::string* path) {
  char* const text = path->data();
  const size_t size = path->size();
  size_t kept = 0;  // text[0, kept) is the result so far, without a "/" at its end.
  for (size_t read = 0; read < size;) {
    while (read < size && text[read] == '/') ++read;
    size_t end = read;
    while (end < size && text[end] != '/') ++end;
    const std::string_view segment(text + read, end - read);
    // "/a/." and "/a/.." name folders: they end in "/".
    const bool ends_as_folder = end == size && IsDots(segment);
    if (segment == "..") {
      if (kept == 0) return PathError::kClimbsAboveRoot;
      while (text[--kept] != '/') {
      }
    } else if (segment != ".") {
      if (const PathError error = CheckSegment(segment); error != PathError::kNone) return error;
      text[kept++] = '/';
      std::memmove(text + kept, segment.data(), segment.size());
      kept += segment.size();
    }
    if (ends_as_folder) text[kept++] = '/';
    read = end;
  }
  path->resize(kept);
  return PathError::kNone;
}

NormalizedPath NormalizeSlowly(std::string_view path, std::string* scratch, std::string_view* out) {
  NormalizedPath result;
  scratch->clear();
  result.error = DecodeTriplets(path, scratch);
  if (result.error == PathError::kNone) result.error = ResolveSegments(scratch);
  if (result.error != PathError::kNone) {
    *out = {};
  } else {
    result.has_encoded_slash = scratch->find("%2F") != std::string::npos;
    *out = *scratch == path ? path : std::string_view(*scratch);
  }
  return result;
}

}  // namespace

NormalizedPath NormalizePath(std::string_view path, std::string* scratch, std::string_view* out) {
  if (!path.starts_with('/')) {
    *out = {};
    return {.error = PathError::kForbiddenByte};
  }
  if (IsPlain(path)) [[likely]] {
    *out = path;
    return {};
  }
  return NormalizeSlowly(path, scratch, out);
}

std::string_view Describe(PathError error) {
  switch (error) {
    case PathError::kNone:
      return "";
    case PathError::kBadPercent:
      return "\"%\" must be followed by two hexadecimal digits";
    case PathError::kForbiddenByte:
      return "the path has a byte that is not allowed, raw or percent-encoded";
    case PathError::kEncodedSlash:
      return "the path has an encoded slash (%2F), which this route does not allow";
    case PathError::kClimbsAboveRoot:
      return "\"..\" climbs above the root";
    case PathError::kDotSegmentWithParameter:
      return "a dot segment or an empty one must not carry a parameter (\"..;x\")";
  }
  __builtin_unreachable();
}

}  // namespace sluice::route
