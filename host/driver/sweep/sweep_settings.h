/// \file
/// What `ensyn sweep` is asked to do: settings of `train`, some of which take several values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/driver/settings/settings.h"

namespace ensyn::driver {

inline constexpr const char* kSweepFolder = "ensyn-sweep";  ///< unless --out says otherwise

struct SweepSettings {
  TrainSettings base;  ///< of the grid's first network; the others differ from it in what follows
  std::vector<std::vector<int>> hidden;
  std::vector<double> rho, c;  ///< empty for the variational objective, which has neither
  std::vector<double> lambda, lr;
  std::vector<NoiseKind> noise;
  std::vector<std::uint64_t> seeds;
  std::optional<int> networks_at_once;  ///< as many as the device is good for, by default
  Values values;                        ///< where the settings came from, for messages
};

[[nodiscard]] const OptionTable& sweep_options();
/// \throws ConfigError
[[nodiscard]] SweepSettings sweep_settings(const Values& values);
/// What config.json holds: the command, the version of ensyn, and every setting but `out` under the keys of
/// `sweep_options`.
[[nodiscard]] nlohmann::ordered_json to_json(const SweepSettings& settings);

/// One setting in which two sweeps differ, with both values as text short enough for a message.
struct SweepDifference {
  std::string key;
  std::string before, after;
};
/// The first of what `to_json` gives of two sweeps that makes their rows differ, or might.
[[nodiscard]] std::optional<SweepDifference> sweep_difference(const nlohmann::ordered_json& before,
                                                              const nlohmann::ordered_json& after);

}  // namespace ensyn::driver
