// Secrets at rest: AES-256-GCM under one key, with the key's name beside the bytes.
//
// Thread-safe: immutable.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sluice::trust {

class Sealer {
 public:
  static constexpr size_t kKeyBytes = 32;

  // `key` has kKeyBytes bytes.
  explicit Sealer(std::string_view key);

  // `purpose` is part of what is protected: bytes sealed for one cannot be opened as another.
  std::string Seal(std::string_view plain, std::string_view purpose) const;
  // kFailedPrecondition: it was sealed with another key; both are named. kDataLoss: it has been
  // changed, cut short, or is for another purpose.
  absl::StatusOr<std::string> Open(std::string_view sealed, std::string_view purpose) const;

  static bool IsSealed(std::string_view bytes);
  // Of the key that they were sealed with; empty: they are not sealed, or were cut short.
  static std::string KeyNameOf(std::string_view sealed);

  // Tells keys apart and gives nothing away; 16 hexadecimal digits.
  const std::string& key_name() const { return name_; }

 private:
  std::string key_;
  std::string name_;
};

}  // namespace sluice::trust
