/// \file
/// Energy-efficient sigma against posterior sigma, synapse by synapse (the paper's figure 7, appendices 4 and
/// 5): networks trained with the energy objective and one with the variational objective, on the same data in
/// the same order with the same noise.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "ensyn/ensyn.h"
#include "host/driver/settings/command.h"
#include "host/driver/settings/options.h"
#include "host/driver/settings/settings.h"

namespace ensyn::driver {

struct BayesSettings {
  DataChoice data;
  std::vector<int> hidden{100, 100};  ///< none: the softmax regression of appendix 5
  std::vector<double> rho{0.5, 2.0 / 3, 4.0 / 3, 2};
  std::vector<double> scale{0.01};  ///< s, for which c = s^rho / rho, the same for every rho as in figure 7b
  std::optional<std::vector<double>> c;  ///< instead of `scale`
  /// Of the variational network and of every ELBO; `laplace` has the scale 1 / lambda, with which the paper
  /// identifies the magnitude cost lambda sum |mu| of the energy-efficient networks. Under `flat` the
  /// variational network has that cost too.
  Prior prior = Prior::flat;
  double prior_sigma = 1;  ///< SD of the gaussian prior
  double lambda = 0.01;
  double learning_rate = 1e-4;
  double mu_range = 0.1;
  double sigma_init = 1e-4;
  int epochs = 50;
  int batch = 20;
  int equilibrium_rounds = 0;  ///< at most, after the epochs; 0: none
  int measure_epochs = 10;     ///< passes that measure curvature
  std::uint64_t seed = 0, data_seed = 0;
  Precision precision = Precision::single_precision;
  ExecutionConfig execution;
  std::filesystem::path out = "ensyn-bayes";
};

[[nodiscard]] const OptionTable& bayes_options();
/// \throws ConfigError
[[nodiscard]] BayesSettings bayes_settings(const Values& values);
/// Every setting but `out`, under the keys of `bayes_options`, and `command`.
[[nodiscard]] nlohmann::ordered_json to_json(const BayesSettings& settings);

/// The command, which trains, and writes into settings.out: config.json; bayes.csv, a row for each synapse,
/// at most 10,000 of a layer; bayes_summary.csv, a row for each energy-efficient network and layer;
/// summary.json. bayes_tables.h says what the columns are. It throws ConfigError, DataError, DeviceError,
/// DivergenceError and IoError.
[[nodiscard]] Command bayes_command();

}  // namespace ensyn::driver
