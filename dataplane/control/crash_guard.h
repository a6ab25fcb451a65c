// Notices versions that kill the proxy: two processes that died while they prepared one, or within
// kProbation of beginning to serve it, and the next one refuses it.
//
// A note in the state directory says what the process has just taken up. It outlives the process,
// not the machine: it is written without waiting for the disk, since every change passes here. What
// a machine's sudden end leaves of it is told by a checksum and counts as nothing.
//
// Control thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/file.h"
#include "sluice/v1/control_service.pb.h"
#include "sluice/v1/crash_record.pb.h"

namespace sluice::control {

class CrashGuard {
 public:
  static constexpr int kDeathsMax = 2;
  static constexpr std::chrono::milliseconds kProbation{30'000};
  static constexpr int kSuspectsMax = 8;
  static constexpr char kFileName[] = "crashes";

  // Until Open it takes no notes.
  explicit CrashGuard(boost::asio::io_context& context,
                      std::chrono::milliseconds probation = kProbation);
  ~CrashGuard();  // EndCleanly.
  CrashGuard(const CrashGuard&) = delete;
  CrashGuard& operator=(const CrashGuard&) = delete;

  enum class Start {
    kOrdinary,  // Whoever was here before has gone; had it died, that counts.
    kTakeover,  // It handed over and may still be draining.
  };
  // Reads what is in `directory` and goes on from it. Notes of another build count for nothing.
  // Without a file to write to there is no protection, and the log says so.
  void Open(const std::string& directory, std::string_view build_version, Start start);

  // The version that the process begins with, from its own disk. It is old news unless its
  // probation was not over.
  void Resume(const v1::Version& version);
  // Also while live requests are routed by what is prepared.
  void BeginPrepare(const v1::Version& version);
  void EndPrepare();
  void BeginServing(const v1::Version& version);  // At its commit.

  // The end is meant: it is held against nobody. No notes are taken afterwards.
  void EndCleanly();
  // Another process writes from here on.
  void HandOver();

  bool Refuses(const std::string& root) const;
  // For Hello: what is refused, and why, in words for the operator.
  std::vector<v1::Rejected> Refused() const;
  // There is nothing else to serve: whatever is refused is given another chance.
  void Pardon();

 private:
  void CountDeath();
  void StartTimer();
  void EndProbation();
  void Forget(const std::string& root);
  const v1::CrashSuspect* Find(const std::string& root) const;
  bool OnProbation(const std::string& root) const;
  void Read();
  void Write();

  const std::chrono::milliseconds probation_;
  boost::asio::steady_timer timer_;
  base::UniqueFd file_;  // Invalid: no notes are taken.
  std::string path_;
  v1::CrashRecord record_;
  std::string unfinished_root_;  // The last process's end came before that of its probation.
  std::string resumed_root_;     // Until something is served.
};

}  // namespace sluice::control
