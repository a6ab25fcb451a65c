#include "tools/sluicectl/tar_gz.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <string_view>

#include "common/base/status_macros.h"

namespace sluice::sluicectl {
namespace {

constexpr size_t kBlock = 512;
constexpr size_t kFileBytesMax = size_t{1} << 32;  // Eleven octal digits hold twice that.

// POSIX.1-1988, "ustar Interchange Format".
struct Header {
  char name[100];
  char mode[8];
  char uid[8];
  char gid[8];
  char size[12];
  char mtime[12];
  char checksum[8];
  char type;
  char link_name[100];
  char magic[6];
  char version[2];
  char user_name[32];
  char group_name[32];
  char device_major[8];
  char device_minor[8];
  char prefix[155];
  char padding[12];
};
static_assert(sizeof(Header) == kBlock);

template <size_t N>
void SetText(char (&field)[N], std::string_view text) {
  std::memcpy(field, text.data(), std::min(text.size(), N));
}

// Octal digits that end in NUL.
template <size_t N>
void SetNumber(char (&field)[N], uint64_t value) {
  SetText(field, fmt::format("{:0{}o}", value, N - 1));
}

absl::Status SetPath(std::string_view path, Header* header) {
  if (path.size() <= sizeof header->name) {
    SetText(header->name, path);
    return absl::OkStatus();
  }
  // The first '/' after which the rest fits.
  const size_t slash = path.find('/', path.size() - sizeof header->name - 1);
  if (slash == std::string_view::npos || slash > sizeof header->prefix ||
      slash + 1 == path.size()) {
    return absl::InvalidArgumentError(fmt::format("'{}' is too long for an archive", path));
  }
  SetText(header->prefix, path.substr(0, slash));
  SetText(header->name, path.substr(slash + 1));
  return absl::OkStatus();
}

absl::StatusOr<Header> HeaderOf(const ArchiveFile& file, int64_t unix_seconds) {
  if (file.content.size() > kFileBytesMax) {
    return absl::ResourceExhaustedError(fmt::format("'{}' is too large", file.path));
  }
  Header header{};
  RETURN_IF_ERROR(SetPath(file.path, &header));
  SetNumber(header.mode, 0600);
  SetNumber(header.uid, 0);
  SetNumber(header.gid, 0);
  SetNumber(header.size, file.content.size());
  SetNumber(header.mtime, static_cast<uint64_t>(std::max<int64_t>(unix_seconds, 0)));
  header.type = '0';
  SetText(header.magic, std::string_view("ustar\0", 6));
  SetText(header.version, "00");
  SetText(header.checksum, "        ");  // Counts as spaces.
  uint64_t sum = 0;
  for (size_t i = 0; i < kBlock; ++i) sum += reinterpret_cast<const unsigned char*>(&header)[i];
  SetText(header.checksum, fmt::format("{:06o}", sum));
  header.checksum[6] = '\0';
  return header;
}

absl::StatusOr<std::string> Gzip(const std::string& bytes) {
  constexpr int kGzipWindow = 15 + 16;
  constexpr int kMemoryLevel = 8;
  if (bytes.size() > std::numeric_limits<uInt>::max()) {
    return absl::ResourceExhaustedError("more than 4 GiB do not fit in one archive");
  }
  z_stream stream{};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, kMemoryLevel,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    return absl::ResourceExhaustedError("no memory to compress the archive");
  }
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int ended = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (ended != Z_STREAM_END) return absl::InternalError("the archive could not be compressed");
  return out;
}

}  // namespace

absl::StatusOr<std::string> MakeTarGz(const std::vector<ArchiveFile>& files, int64_t unix_seconds) {
  std::string tar;
  for (const ArchiveFile& file : files) {
    ASSIGN_OR_RETURN(const Header header, HeaderOf(file, unix_seconds));
    tar.append(reinterpret_cast<const char*>(&header), kBlock);
    tar += file.content;
    tar.append((kBlock - file.content.size() % kBlock) % kBlock, '\0');
  }
  tar.append(2 * kBlock, '\0');
  return Gzip(tar);
}

}  // namespace sluice::sluicectl
