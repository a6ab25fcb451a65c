#include "controlplane/store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/random.h"
#include "common/base/status_macros.h"
#include "common/base/version.h"
#include "common/trust/seal.h"
#include "controlplane/store/data_folder.h"
#include "controlplane/store/schema.h"
#include "controlplane/store/version_store.h"

namespace sluice::store {
namespace {

constexpr size_t kHashBytes = 32;
constexpr size_t kLengthBytes = 4;
constexpr size_t kPieceBytes = size_t{256} << 10;

std::string BigEndian(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xff);
  return bytes;
}

uint32_t FromBigEndian(std::string_view bytes) {
  uint32_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

struct CloseDatabase {
  void operator()(sqlite3* handle) const { sqlite3_close(handle); }
};
using Handle = std::unique_ptr<sqlite3, CloseDatabase>;

absl::StatusOr<Handle> OpenHandle(const std::string& path, int flags) {
  sqlite3* raw = nullptr;
  const int result = sqlite3_open_v2(path.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  Handle handle(raw);
  if (result == SQLITE_OK) return handle;
  return absl::InternalError(fmt::format("open {}: {}", path, sqlite3_errstr(result)));
}

// In one step, so that all of it is of one moment. In WAL mode that holds up no writer.
absl::Status CopyDatabase(const std::string& from, const std::string& to) {
  ASSIGN_OR_RETURN(const Handle source, OpenHandle(from, SQLITE_OPEN_READWRITE));
  ASSIGN_OR_RETURN(const Handle target, OpenHandle(to, SQLITE_OPEN_READWRITE));
  sqlite3_busy_timeout(source.get(), 5000);
  sqlite3_backup* backup = sqlite3_backup_init(target.get(), "main", source.get(), "main");
  if (backup == nullptr) {
    return absl::InternalError(fmt::format("copy of the store: {}", sqlite3_errmsg(target.get())));
  }
  const int stepped = sqlite3_backup_step(backup, -1);
  const int finished = sqlite3_backup_finish(backup);
  if (stepped == SQLITE_DONE && finished == SQLITE_OK) return absl::OkStatus();
  return absl::InternalError(
      fmt::format("copy of the store: {}", sqlite3_errstr(finished != 0 ? finished : stepped)));
}

absl::StatusOr<uint64_t> Number(Database& database, std::string_view sql) {
  Statement statement = database.Prepare(sql);
  ASSIGN_OR_RETURN(const bool row, statement.Step());
  return row ? static_cast<uint64_t>(statement.Int(0)) : 0;
}

absl::StatusOr<std::string> ReadAt(int fd, uint64_t offset, size_t bytes, std::string_view name) {
  std::string piece(bytes, '\0');
  size_t used = 0;
  while (used < bytes) {
    const ssize_t got =
        pread(fd, piece.data() + used, bytes - used, static_cast<off_t>(offset + used));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::ErrnoStatus(errno, fmt::format("read {}", name));
    if (got == 0) return absl::DataLossError(fmt::format("{} was cut short", name));
    used += static_cast<size_t>(got);
  }
  return piece;
}

}  // namespace

// --- Making one.

absl::Status Backup::ReadHeaderFrom(Database& copy) {
  header_.set_format_version(kBackupFormatVersion);
  ASSIGN_OR_RETURN(const uint64_t schema, Number(copy, "PRAGMA user_version"));
  ASSIGN_OR_RETURN(const uint64_t epoch,
                   Number(copy, "SELECT value FROM meta WHERE key = 'epoch'"));
  ASSIGN_OR_RETURN(const uint64_t revision, Number(copy, "SELECT max(revision) FROM version"));
  ASSIGN_OR_RETURN(const uint64_t current,
                   Number(copy, fmt::format("SELECT revision FROM version WHERE state = {}",
                                            static_cast<int>(VersionState::kCurrent))));
  Statement seal = copy.Prepare("SELECT probe FROM seal");
  ASSIGN_OR_RETURN(const bool sealed, seal.Step());
  header_.set_schema_version(static_cast<uint32_t>(schema));
  header_.set_epoch(epoch);
  header_.set_revision(revision);
  header_.set_current_revision(current);
  header_.set_created_unix_ms(static_cast<uint64_t>(base::UnixMillis()));
  header_.set_controller_version(std::string(base::Version()));
  if (sealed) header_.set_seal_key_name(trust::Sealer::KeyNameOf(seal.Text(0)));
  return absl::OkStatus();
}

// The head of the file, which has the hash of everything behind it.
absl::Status Backup::AddHead() {
  std::string header;
  header_.SerializeToString(&header);
  const std::string length = BigEndian(static_cast<uint32_t>(header.size()));
  base::Sha256Hasher hasher;
  hasher.Update(length);
  hasher.Update(header);
  for (const Source& source : sources_) {
    hasher.Update(source.content);
    for (uint64_t at = 0; source.fd.valid() && at < source.bytes;) {
      const size_t bytes = std::min<uint64_t>(kPieceBytes, source.bytes - at);
      ASSIGN_OR_RETURN(const std::string piece, ReadAt(source.fd.get(), at, bytes, "the copy"));
      hasher.Update(piece);
      at += bytes;
    }
  }
  Source head;
  head.content = std::string(kBackupMagic) + hasher.Finish() + length + header;
  head.bytes = head.content.size();
  sources_.insert(sources_.begin(), std::move(head));
  return absl::OkStatus();
}

absl::StatusOr<Backup> Backup::Take(const std::string& directory) {
  Backup backup;
  const std::string path =
      fmt::format("{}/{}backup-{:016x}", directory, kTemporaryPrefix, base::RandomSeed());
  ASSIGN_OR_RETURN(base::UniqueFd copy, OpenPrivate(path));
  const auto fill = [&]() -> absl::Status {
    RETURN_IF_ERROR(CopyDatabase(fmt::format("{}/{}", directory, kDatabaseName), path));
    ASSIGN_OR_RETURN(Database database, Database::Open(path));
    // One file, without a log beside it.
    RETURN_IF_ERROR(database.Execute("PRAGMA journal_mode=DELETE"));
    return backup.ReadHeaderFrom(database);
  };
  const absl::Status filled = fill();
  unlink(path.c_str());
  for (const char* suffix : {"-wal", "-shm", "-journal"}) unlink((path + suffix).c_str());
  RETURN_IF_ERROR(filled);

  struct stat info;
  if (fstat(copy.get(), &info) != 0) return base::ErrnoStatus(errno, "stat the copy");
  v1::BackupFile& store = *backup.header_.add_files();
  store.set_path(kDatabaseName);
  store.set_bytes(static_cast<uint64_t>(info.st_size));
  backup.sources_.push_back({std::move(copy), store.bytes(), ""});

  ASSIGN_OR_RETURN(const std::vector<DataFile> others, OtherDataFiles(directory));
  for (const DataFile& other : others) {
    auto content = base::ReadFile(directory + "/" + other.path, size_t{16} << 20);
    if (absl::IsNotFound(content.status())) continue;  // Gone meanwhile.
    RETURN_IF_ERROR(content.status());
    v1::BackupFile& file = *backup.header_.add_files();
    file.set_path(other.path);
    file.set_bytes(content->size());
    backup.sources_.push_back({base::UniqueFd(), content->size(), *std::move(content)});
  }
  RETURN_IF_ERROR(backup.AddHead());
  return backup;
}

absl::StatusOr<std::string> Backup::Next(size_t bytes_max) {
  while (source_ < sources_.size() && offset_ == sources_[source_].bytes) {
    ++source_;
    offset_ = 0;
  }
  if (source_ == sources_.size()) return std::string();
  const Source& source = sources_[source_];
  const size_t bytes = std::min<uint64_t>(bytes_max, source.bytes - offset_);
  std::string piece;
  if (source.fd.valid()) {
    ASSIGN_OR_RETURN(piece, ReadAt(source.fd.get(), offset_, bytes, "the copy"));
  } else {
    piece = source.content.substr(offset_, bytes);
  }
  offset_ += bytes;
  return piece;
}

// --- Reading one.

namespace {

class BackupReader {
 public:
  static absl::StatusOr<BackupReader> Open(const std::string& path) {
    base::UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd.valid()) return base::ErrnoStatus(errno, fmt::format("open {}", path));
    struct stat info;
    if (fstat(fd.get(), &info) != 0) return base::ErrnoStatus(errno, fmt::format("stat {}", path));
    if (!S_ISREG(info.st_mode)) {
      return absl::InvalidArgumentError(fmt::format("{} is not a regular file", path));
    }
    BackupReader reader(path, std::move(fd), static_cast<uint64_t>(info.st_size));
    RETURN_IF_ERROR(reader.Check());
    return reader;
  }

  const v1::BackupHeader& header() const { return header_; }

  absl::Status Extract(const std::string& directory) const {
    uint64_t at = files_at_;
    for (const v1::BackupFile& file : header_.files()) {
      const std::filesystem::path target = std::filesystem::path(directory) / file.path();
      if (target.parent_path() != std::filesystem::path(directory)) {
        RETURN_IF_ERROR(base::MakeDirectory(target.parent_path().string(), 0700));
      }
      const base::UniqueFd out(
          open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
      if (!out.valid()) return base::ErrnoStatus(errno, fmt::format("create {}", target.string()));
      RETURN_IF_ERROR(Read(at, file.bytes(), [&](std::string_view piece) -> absl::Status {
        while (!piece.empty()) {
          const ssize_t written = write(out.get(), piece.data(), piece.size());
          if (written < 0 && errno != EINTR) {
            return base::ErrnoStatus(errno, fmt::format("write {}", target.string()));
          }
          if (written > 0) piece.remove_prefix(static_cast<size_t>(written));
        }
        return absl::OkStatus();
      }));
      if (fsync(out.get()) != 0) return base::ErrnoStatus(errno, "fsync " + target.string());
      at += file.bytes();
    }
    return absl::OkStatus();
  }

 private:
  BackupReader(std::string path, base::UniqueFd fd, uint64_t bytes)
      : path_(std::move(path)), fd_(std::move(fd)), bytes_(bytes) {}

  absl::Status Damaged(std::string_view what) const {
    return absl::DataLossError(
        fmt::format("{}: {}; take another backup, nothing of this one is used", path_, what));
  }

  absl::Status Read(uint64_t at, uint64_t bytes,
                    const std::function<absl::Status(std::string_view)>& take) const {
    for (const uint64_t end = at + bytes; at < end;) {
      const size_t now = std::min<uint64_t>(kPieceBytes, end - at);
      ASSIGN_OR_RETURN(const std::string piece, ReadAt(fd_.get(), at, now, path_));
      RETURN_IF_ERROR(take(piece));
      at += now;
    }
    return absl::OkStatus();
  }

  absl::Status Check() {
    constexpr size_t kHeadBytes = kBackupMagic.size() + kHashBytes + kLengthBytes;
    const size_t magic_bytes = std::min<uint64_t>(bytes_, kBackupMagic.size());
    ASSIGN_OR_RETURN(const std::string magic, ReadAt(fd_.get(), 0, magic_bytes, path_));
    // "sluice backup ", whatever number follows.
    const std::string_view family = kBackupMagic.substr(0, kBackupMagic.size() - 2);
    if (!magic.starts_with(family)) {
      return absl::InvalidArgumentError(
          fmt::format("{} is no backup of a Sluice store: `sluicectl backup` makes them", path_));
    }
    if (magic != kBackupMagic && magic.size() == kBackupMagic.size()) return Newer("its format");
    if (bytes_ < kHeadBytes) return Damaged("it was cut short");
    ASSIGN_OR_RETURN(const std::string head,
                     ReadAt(fd_.get(), magic_bytes, kHashBytes + kLengthBytes, path_));
    base::Sha256Hasher hasher;
    RETURN_IF_ERROR(Read(kBackupMagic.size() + kHashBytes,
                         bytes_ - kBackupMagic.size() - kHashBytes, [&](std::string_view piece) {
                           hasher.Update(piece);
                           return absl::OkStatus();
                         }));
    if (hasher.Finish() != head.substr(0, kHashBytes)) {
      return Damaged("its checksum is wrong: it was cut short or altered");
    }
    const uint32_t header_bytes = FromBigEndian(std::string_view(head).substr(kHashBytes));
    if (header_bytes > kBackupHeaderBytesMax || kHeadBytes + header_bytes > bytes_) {
      return Damaged("its header has an impossible size");
    }
    ASSIGN_OR_RETURN(const std::string header, ReadAt(fd_.get(), kHeadBytes, header_bytes, path_));
    if (!header_.ParseFromString(header)) return Damaged("its header cannot be read");
    files_at_ = kHeadBytes + header_bytes;
    return CheckHeader();
  }

  absl::Status Newer(std::string_view what) const {
    return absl::FailedPreconditionError(fmt::format(
        "{}: {} is of a newer release than this one: restore it with that release", path_, what));
  }

  absl::Status CheckHeader() const {
    if (header_.format_version() != kBackupFormatVersion) return Newer("its format");
    if (header_.schema_version() > kSchemaVersion) {
      return Newer(fmt::format("its schema ({}, this release knows {})", header_.schema_version(),
                               kSchemaVersion));
    }
    uint64_t left = bytes_ - files_at_;
    for (const v1::BackupFile& file : header_.files()) {
      if (!IsDataPath(file.path()) || file.bytes() > left) {
        return Damaged("it lists a file that cannot be in it");
      }
      left -= file.bytes();
    }
    if (left != 0) return Damaged("there is more in it than it lists");
    if (header_.files_size() == 0 || header_.files(0).path() != kDatabaseName) {
      return Damaged("there is no store in it");
    }
    return absl::OkStatus();
  }

  std::string path_;
  base::UniqueFd fd_;
  uint64_t bytes_;
  v1::BackupHeader header_;
  uint64_t files_at_ = 0;
};

}  // namespace

absl::StatusOr<v1::BackupHeader> CheckBackup(const std::string& path) {
  ASSIGN_OR_RETURN(const BackupReader reader, BackupReader::Open(path));
  return reader.header();
}

absl::StatusOr<v1::BackupHeader> ExtractBackup(const std::string& path,
                                               const std::string& directory) {
  ASSIGN_OR_RETURN(const BackupReader reader, BackupReader::Open(path));
  RETURN_IF_ERROR(reader.Extract(directory));
  return reader.header();
}

}  // namespace sluice::store
