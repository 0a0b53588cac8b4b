/// \file
/// The networks of `ensyn bayes`: trained side by side, and what is read from each.
#pragma once

#include <string>
#include <vector>

#include "ensyn/ensyn.h"
#include "host/driver/bayes/bayes.h"

namespace ensyn::driver {

struct BayesNetwork {
  bool variational = false;
  double rho = 0, c = 0;                ///< of an energy-efficient network
  std::vector<LayerParameters> layers;  ///< biases included
  Signatures signatures;                ///< biases left out
  double nll = 0;                       ///< E_Q of the summed NLL of the training set, one draw per minibatch
  Evaluation test;
  Energy energy;
  bool converged = true;  ///< to the fixed point; true where that was not asked for
};

struct BayesRun {
  std::vector<BayesNetwork> networks;
  std::string device, training_method, backend;
};

/// The variational network, then one for each rho and c (or s), rho by rho. \throws Error when interrupted
[[nodiscard]] BayesRun train_bayes_networks(const BayesSettings& settings, const TrainTest& data,
                                            bool show_progress);

}  // namespace ensyn::driver
