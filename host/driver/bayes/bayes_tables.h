/// \file
/// The tables of `ensyn bayes`.
///
/// bayes.csv has a row for each synapse: `rho,c,layer,row,column` (layer from 1, row = output and column =
/// input from 0), `mu_energy,sigma_energy`, `mu_posterior,sigma_posterior` of the variational network,
/// `hessian` and `hessian_energy`: the noise-averaged diagonal of the Hessian of the summed NLL in the
/// variational and in the energy-efficient network. Of a layer with more than 10,000 synapses as many are
/// taken, evenly spaced.
///
/// bayes_summary.csv has a row for each energy-efficient network and layer, over all its synapses without
/// biases; fields without a value are empty. Slopes are by least squares of logarithms with their 95 %
/// intervals:
///   rho, c, scale, layer, n
///   slope, slope_low, slope_high, spearman, theory_slope: sigma_energy^2 against sigma_posterior^2
///   posterior_slope, _low, _high: 1 / hessian against sigma_posterior^2, 1 in theory where the prior is flat
///   X_slope, X_slope_low, X_slope_high, theory_X_slope for X = hessian, learning_rate, input_rate,
///   input_square:
///     sigma_energy^2 against X of the energy-efficient network (figure 5, and appendix 5 without hidden
///     layer); theory is that of the fixed point
///   gap_mean, gap_median, gap_max: theory::bound_gap of each synapse, nats
///   magnitude, expected_magnitude: sums of |mu| and of E|w|
///   nll, log_prior, entropy, elbo, bound, gap, bound_magnitude: Evidence of the whole network, the same in
///   each
///     of its rows; gap = elbo - bound, bound_magnitude has |mu| where bound has E|w|
///   elbo_variational: of the variational network
#pragma once

#include <span>

#include "host/driver/bayes/bayes.h"
#include "host/driver/bayes/bayes_networks.h"
#include "host/driver/files/csv.h"

namespace ensyn::driver {

/// \param networks as train_bayes_networks gives them: the first is the variational one
[[nodiscard]] Table synapse_table(std::span<const BayesNetwork> networks);
[[nodiscard]] Table bayes_summary_table(const BayesSettings& settings,
                                        std::span<const BayesNetwork> networks);

}  // namespace ensyn::driver
