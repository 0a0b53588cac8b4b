/// \file
/// The one-dimensional regression of the paper's appendix 4: energy-efficient networks over a grid of rho and
/// c beside a variational one, all trained on the same noisy points of f(x) = x^3 + 2 x^2.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "ensyn/ensyn.h"
#include "host/driver/settings/options.h"

namespace ensyn::driver {

/// The paper gives f, the net 1-20-1 and the noise of SD 0.05. Range, number of points, c and training are
/// this program's choice.
struct RegressionSettings {
  std::vector<double> rho{0.5, 2.0 / 3, 4.0 / 3, 2};
  std::vector<double> c{1e-4, 1e-2, 1};
  std::vector<int> hidden{20};
  double low = -2, high = 1;      ///< the training points lie evenly on [low, high]
  double margin = 0.5;            ///< by which the curves go beyond them on each side, >= 0
  int points = 40;                ///< for training, >= 2
  int curve_points = 121;         ///< of each curve, >= 2
  double noise_sd = 0.05;         ///< eps, of the points and of the likelihood
  double lambda = 0.01;           ///< weight of the magnitude cost of the energy-efficient networks
  Prior prior = Prior::gaussian;  ///< of the variational network
  double prior_sigma = 1;         ///< SD of the gaussian prior
  double prior_scale = 1;         ///< b of the laplace prior
  double learning_rate = 3e-3;
  double mu_range = 0.5;
  double sigma_init = 1e-3;
  int batch = 20;
  int steps = 20000;
  int samples = 200;  ///< weight draws behind each mean and SD
  std::uint64_t seed = 0;
  Precision precision = Precision::single_precision;
  ExecutionConfig execution;
  std::filesystem::path out = "ensyn-regression";
};

[[nodiscard]] const OptionTable& regression_options();
/// \throws ConfigError
[[nodiscard]] RegressionSettings regression_settings(const Values& values);

/// Trains, and writes into settings.out: config.json; regression_data.csv, the training points `x,y`;
/// regression.csv, one row for each point of each network's curve: `objective,rho,c,x,mean,sd,target` and
/// `predictive_sd`, where mean and sd are over weight draws, target is f(x) and predictive_sd is sqrt(sd^2 +
/// eps^2) (rho and c are empty for the variational network); summary.json.
/// \param overwrite whether a run in settings.out may be replaced \returns what summary.json holds
/// \throws ConfigError, DeviceError, DivergenceError, IoError
nlohmann::ordered_json run_regression(const RegressionSettings& settings, bool overwrite);

}  // namespace ensyn::driver
