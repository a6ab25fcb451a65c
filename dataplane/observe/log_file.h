// Where access log lines go: a file opened for appending, or standard output.
//
// Used by one thread at a time.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "absl/status/statusor.h"

namespace sluice::observe {

class LogFile {
 public:
  // "-" is standard output.
  static absl::StatusOr<std::shared_ptr<LogFile>> Open(const std::string& path);
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  const std::string& path() const { return path_; }

  // Writes all parts, each made of whole lines, or gives up at the first error. Changes `parts`.
  struct Result {
    size_t lines_lost = 0;
    int error = 0;  // errno; 0: all written.
  };
  Result Write(std::span<iovec> parts);

 private:
  LogFile(std::string path, int descriptor);
  // Bytes written, or -1 with errno.
  ssize_t WriteSome(std::span<iovec> parts);

  const std::string path_;
  const int descriptor_;
  bool line_torn_ = false;  // An error hit the middle of a line: the next one must not continue it.
};

}  // namespace sluice::observe
