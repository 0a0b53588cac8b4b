/// \file
/// What evaluating a network gives.
#pragma once

#include <vector>

namespace ensyn {

/// Quality of a set of predictive distributions over the examples of a data set. Of a gaussian likelihood
/// only `nll` and `rmse` mean something and the others are 0, of a categorical one all but `rmse`.
struct PredictionQuality {
  double accuracy = 0;            ///< fraction of examples whose most probable class is the label, in [0, 1]
  double nll = 0;                 ///< mean negative log probability (density) of the label (targets), nats
  double brier = 0;               ///< mean over examples of sum over classes (p - onehot)^2, in [0, 2]
  double ece = 0;                 ///< expected calibration error, in [0, 1]
  double predictive_entropy = 0;  ///< mean entropy of the predictive distribution, nats
  double rmse = 0;                ///< root mean square of target - predicted mean, over examples and outputs
};

/// The three readings of one network on one data set.
struct Evaluation {
  PredictionQuality mean;     ///< with w = mu, no noise
  PredictionQuality sample;   ///< one weight draw per minibatch (the paper's accuracy)
  PredictionQuality average;  ///< predictions averaged over K draws per minibatch
  /// Mean over examples of H[mean p] - mean H[p], nats: what the weight noise contributes to the uncertainty;
  /// 0 for a gaussian likelihood, whose mixtures have no closed form of it.
  double mutual_information = 0;
  int samples = 0;  ///< K
};

/// A network's outputs over draws of its weights: real predictions f of a gaussian likelihood, probabilities
/// of a categorical one.
struct Prediction {
  int outputs = 0;
  int samples = 0;           ///< K
  std::vector<double> mean;  ///< over the K draws: examples x outputs
  std::vector<double> sd;    ///< over the K draws (K - 1; 0 for one draw): examples x outputs, without eps
  std::vector<double> at_mean_weights;  ///< with w = mu: examples x outputs
};

/// Energy of a network, from its parameters alone.
struct Energy {
  double sigma_rms = 0;  ///< root mean square of sigma over the weights, without biases
  double reliability_sum =
      0;  ///< sum over weights, without biases, of sigma^-rho / rho, rho of the first cost term
          ///< (of rho -> 0, -sum log sigma, when there is none or the objective is variational)
  double reliability_cost = 0;  ///< R(sigma) over all parameters, biases included
  double magnitude_cost = 0;    ///< lambda * sum |mu| over all parameters, biases included
  /// Of the variational objective, over all parameters: the expectation of minus the logarithm of the prior,
  /// without its constant. The part sigma^2 / 2s^2 of a Gaussian prior stands in reliability_cost too.
  double prior_cost = 0;
};

}  // namespace ensyn
