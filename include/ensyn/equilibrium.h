/// \file
/// Trains sigma to its fixed point. Adam moves phi by at most its learning rate a step, so that the published
/// 50 epochs end while sigma is still rising; here sigma is set from the measured curvature instead.
///
/// A round trains for some epochs, in which mu follows the noise, and then measures with mu and sigma frozen
/// the noise-averaged curvature H of the summed NLL of every weight and bias (the Gauss-Newton diagonal of
/// signatures.h) and moves ln sigma by the fraction `damping` towards the solution sigma* of
///   sigma H = sum_k c_k rho_k sigma^-(rho_k + 1)   (energy),   sigma (H + P) = 1 / sigma (variational),
/// P = 1/s^2 for a Gaussian prior and theory::laplace_curvature for a Laplace one,
/// which by Stein's identity is where the expected gradient in sigma vanishes. H itself depends on sigma:
/// plain iteration of ln sigma would multiply its error by (d ln H / d ln sigma) / (rho + 2), which has
/// either sign; half steps converge wherever that lies between -3 and 1.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "ensyn/export.h"
#include "ensyn/population.h"

namespace ensyn {

struct ENSYN_API EquilibriumConfig {
  int rounds = 40;            ///< at most, >= 1
  int train_epochs = 1;       ///< of ordinary training in each round, >= 0
  int measure_epochs = 1;     ///< passes over the training set of each measurement, >= 1
  int settling_rounds = 4;    ///< further rounds, without training, after the others; >= 0
  double damping = 0.5;       ///< fraction of the way in ln sigma, in (0, 1]
  double largest_step = 2.0;  ///< factor by which sigma changes at most in a round, > 1
  /// Where a weight has next to no curvature (its unit is dead, its input always 0) sigma* is without bound:
  /// sigma stays at or below this. > 0. The network's own noise scale should lie well below.
  double sigma_ceiling = 10.0;
  /// Done when in every layer the median over the synapses of sigma H / sum_k c_k rho_k sigma^-(rho_k + 1)
  /// lies within (1 / (1 + tolerance), 1 + tolerance). > 0
  double tolerance = 0.05;

  /// \throws ConfigError
  void validate() const;
  friend bool operator==(const EquilibriumConfig&, const EquilibriumConfig&) = default;
};

/// What a round found before it moved sigma.
struct EquilibriumRound {
  int round = 0;                      ///< from 1
  bool settling = false;              ///< whether it is one without training
  std::vector<double> median_ratios;  ///< of each layer, 1 at the fixed point
};

struct Equilibrium {
  bool converged = false;
  std::vector<EquilibriumRound> rounds;
  std::uint64_t at_ceiling = 0;  ///< weights and biases whose sigma was held at the ceiling
  /// Passes from here on have noise that no measurement of these rounds has seen: first_epoch of an
  /// independent one.
  std::uint64_t end_epoch = 0;
};

/// \throws ConfigError where no synapse has a fixed point of its own: weights share sigma, noise is not
/// Gaussian, or there is no reliability cost
ENSYN_API void check_has_equilibrium(const NetworkConfig& network);

/// Brings one member to its fixed point; every member of the population trains on meanwhile.
/// \param on_round is called after each measurement; returning false stops there, unconverged.
/// \throws ConfigError where the member's weights share sigma, its noise is not Gaussian or it has no
/// reliability cost, and as
/// Population's train_steps, signatures and set_parameters
ENSYN_API Equilibrium equilibrate(Population& population, int member, const EquilibriumConfig& config = {},
                                  const std::function<bool(const EquilibriumRound&)>& on_round = {});

}  // namespace ensyn
