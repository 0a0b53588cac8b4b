/// \file
/// What evaluating a network gives.
#pragma once

namespace ensyn {

/// Quality of a set of predictive distributions over the examples of a data set.
struct PredictionQuality {
  double accuracy = 0;            ///< fraction of examples whose most probable class is the label, in [0, 1]
  double nll = 0;                 ///< mean negative log probability of the label, nats per example
  double brier = 0;               ///< mean over examples of sum over classes (p - onehot)^2, in [0, 2]
  double ece = 0;                 ///< expected calibration error, in [0, 1]
  double predictive_entropy = 0;  ///< mean entropy of the predictive distribution, nats
};

/// The three readings of one network on one data set.
struct Evaluation {
  PredictionQuality mean;     ///< with w = mu, no noise
  PredictionQuality sample;   ///< one weight draw per minibatch (the paper's accuracy)
  PredictionQuality average;  ///< predictions averaged over K draws per minibatch
  /// Mean over examples of H[mean p] - mean H[p], nats: what the weight noise contributes to the uncertainty.
  double mutual_information = 0;
  int samples = 0;  ///< K
};

/// Energy of a network, from its parameters alone.
struct Energy {
  double sigma_rms = 0;  ///< root mean square of sigma over the weights, without biases
  double reliability_sum =
      0;  ///< sum over weights, without biases, of sigma^-rho / rho, rho of the first cost term
          ///< (of rho -> 0, -sum log sigma, when there is none or the objective is variational)
  double reliability_cost = 0;  ///< R(sigma) over all parameters, biases included
  double magnitude_cost = 0;    ///< lambda * sum |mu| over all parameters, biases included
};

}  // namespace ensyn
