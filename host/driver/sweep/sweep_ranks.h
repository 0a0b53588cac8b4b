/// \file
/// A sweep shared among ranks: rank 0 hands out chunks and writes the rows, the others ask and deliver, and
/// rank 0 works as well.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <thread>

#include "host/driver/sweep/ranks.h"
#include "host/driver/sweep/sweep_progress.h"
#include "host/driver/sweep/sweep_settings.h"
#include "host/driver/sweep/sweep_work.h"

namespace ensyn::driver {

/// Where and with what one of several ranks computes: its share of the processors and, where there are
/// several devices, its own, unless flags say otherwise.
[[nodiscard]] ExecutionConfig execution_of(const Ranks& ranks, const SweepSettings& settings);

/// What all ranks must agree on: settings, version, data and folder.
[[nodiscard]] nlohmann::ordered_json agreement_of(const SweepSettings& settings, const TrainTest& data);

/// Rank 0 hears what the others go by. \throws ConfigError that says which rank differs, and in what
void check_agreement(Ranks& ranks, const nlohmann::ordered_json& own);

/// Rank 0's side: answers the others, in a thread of its own.
class RankServer {
 public:
  /// Tells the others to begin. References are kept.
  RankServer(Ranks& ranks, SweepWork& work, SweepProgress& progress);
  ~RankServer();
  RankServer(const RankServer&) = delete;
  RankServer& operator=(const RankServer&) = delete;

  /// Whether all others have delivered everything and gone. \throws what went wrong in the thread
  [[nodiscard]] bool done() const;

 private:
  void serve(const std::stop_token& stop);
  void answer(const Message& message);

  Ranks& ranks_;
  SweepWork& work_;
  SweepProgress& progress_;
  int present_;
  std::exception_ptr failure_;  ///< to be read once ended_
  std::atomic<bool> ended_ = false;
  std::jthread thread_;
};

/// The side of every other rank.
class RankClient final : public WorkSource {
 public:
  /// Says what this rank goes by, and waits until rank 0 tells it to begin.
  RankClient(Ranks& ranks, const nlohmann::ordered_json& agreement);

  [[nodiscard]] std::optional<Chunk> next(std::size_t wanted) override;
  void take(const Delivery& delivery) override;
  void watch(std::uint64_t position, std::uint64_t trained) override;

 private:
  [[nodiscard]] nlohmann::ordered_json wait();

  Ranks& ranks_;
};

}  // namespace ensyn::driver
