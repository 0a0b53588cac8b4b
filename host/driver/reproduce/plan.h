/// \file
/// What `ensyn reproduce` runs: other commands of the driver, with their flags.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ensyn::driver {

enum class Scale { quick, paper };
/// \throws ConfigError when there is no scale of that name
[[nodiscard]] Scale scale_from(std::string_view name);
[[nodiscard]] const char* name(Scale scale);

struct PlannedRun {
  std::string command;
  std::string folder;  ///< within the reproduction's own
  std::vector<std::pair<std::string, std::string>>
      settings;      ///< keys of the command's options, without `out`; an empty text is a flag alone
  double steps = 0;  ///< of training one 784-100-100-10 network on a minibatch of 20, or what takes as long
};

/// What the plan depends on besides the figures asked for.
struct PlanSettings {
  Scale scale = Scale::paper;
  std::size_t train_examples = 60000, test_examples = 10000;
  /// Settings that every run on images has: data, seed, device.
  std::vector<std::pair<std::string, std::string>> common;
  std::string seed = "0";
  std::optional<std::filesystem::path> experiments;  ///< the folder of measured synapses, for figure 6
};

/// The runs behind `figures` (fig2, fig3, fig5, fig7 or all), each once, the short ones first.
/// \throws ConfigError when one is not a figure that can be reproduced
[[nodiscard]] std::vector<PlannedRun> plan(const std::vector<std::string>& figures,
                                           const PlanSettings& settings);

/// `ensyn sweep --rho 0.5,2 ...`
[[nodiscard]] std::string command_text(const PlannedRun& run, const std::filesystem::path& out);

}  // namespace ensyn::driver
