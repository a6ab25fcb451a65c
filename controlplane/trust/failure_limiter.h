// Slows down whoever fails again and again, by address or name.
//
// One thread at a time. Memory is bounded: beyond kAddressesMax the address that failed longest ago
// is forgotten.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <unordered_map>

namespace sluice::trust {

class FailureLimiter {
 public:
  static constexpr size_t kAddressesMax = 4096;

  // `burst` failures nobody minds; so many are forgiven each second.
  FailureLimiter(double burst, double forgiven_per_second)
      : burst_(burst), forgiven_per_second_(forgiven_per_second) {}

  // False: not now, whatever it brings.
  bool Allows(const std::string& address, int64_t now_ms) const;
  void NoteFailure(const std::string& address, int64_t now_ms);

  size_t size() const { return by_address_.size(); }

 private:
  struct Entry {
    std::string address;
    double failures;  // At noted_ms.
    int64_t noted_ms;
  };
  double FailuresAt(const Entry& entry, int64_t now_ms) const;

  const double burst_, forgiven_per_second_;
  std::list<Entry> entries_;  // The last to fail first.
  std::unordered_map<std::string, std::list<Entry>::iterator> by_address_;
};

// What of gRPC's peer ("ipv4:10.0.0.1:4711") failures are counted by: the address without its port,
// of IPv6 its first 64 bits, which one host has to itself.
std::string AddressOfPeer(const std::string& peer);

}  // namespace sluice::trust
