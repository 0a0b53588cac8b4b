/// \file
/// Sweeps as a function, for `ensyn sweep` and for commands that need one.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>

#include "host/driver/sweep/ranks.h"
#include "host/driver/sweep/sweep_settings.h"

namespace ensyn::driver {

struct SweepRun {
  bool overwrite = false;      ///< start anew instead of going on with the sweep in the folder
  bool announces = false;      ///< says on standard output, before it trains, what will be trained
  bool shows_progress = true;  ///< on standard error where that is a terminal
  Ranks* ranks = nullptr;      ///< the processes that share the work; none but this where null
};

struct SweepReport {
  nlohmann::ordered_json summary;  ///< what summary.json holds
  std::string text;                ///< the same for people
};

/// Trains the networks of the grid that have no row in the folder's sweep.csv yet; afterwards it has one of
/// each. Ranks share the work, call this with the same settings, and all but rank 0 get an empty report.
/// Every row is what `ensyn train` gives with the same settings.
/// \throws Interrupted on SIGINT or SIGTERM, when progress is saved: the same call goes on from there;
/// ConfigError, DataError (also when what the folder holds is not a sweep of these settings), DeviceError,
/// OutOfMemoryError, IoError
SweepReport run_sweep(SweepSettings settings, const SweepRun& run);

}  // namespace ensyn::driver
