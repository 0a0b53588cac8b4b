// Minibatches and Adam.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "oracle/oracle.h"

namespace oracle {

std::vector<std::uint32_t> minibatch_at(const Settings& settings, std::uint64_t step) {
  const auto steps_per_epoch = static_cast<std::uint64_t>(settings.examples / settings.batch);
  const std::vector<std::uint32_t> permutation =
      order(settings.data_seed, settings.order_stream, step / steps_per_epoch,
            static_cast<std::size_t>(settings.examples));
  const auto first = static_cast<std::ptrdiff_t>(step % steps_per_epoch) * settings.batch;
  return {permutation.begin() + first, permutation.begin() + first + settings.batch};
}

Training start(const Settings& settings) {
  return {settings, initial_parameters(settings), zeros(settings), zeros(settings), 0, zeros(settings)};
}

namespace {

void adam(const Training& training, double gradient, double& moment1, double& moment2, double& value) {
  const Settings& s = training.settings;
  const auto t = static_cast<double>(training.step + 1);
  moment1 = s.beta1 * moment1 + (1 - s.beta1) * gradient;
  moment2 = s.beta2 * moment2 + (1 - s.beta2) * gradient * gradient;
  const double corrected1 = moment1 / (1 - std::pow(s.beta1, t));
  const double corrected2 = moment2 / (1 - std::pow(s.beta2, t));
  value -= s.learning_rate * corrected1 / (std::sqrt(corrected2) + s.epsilon);
}

}  // namespace

StepReport train_step(Training& training, const Data& data) {
  const Settings& settings = training.settings;
  const Layers noise = draw_noise(settings, training.step, kTraining);
  StepReport report;
  const Parameters g =
      gradient(settings, training.parameters, noise, data, minibatch_at(settings, training.step), &report);
  const auto update = [&](Layers Parameters::*member) {
    for (std::size_t layer = 0; layer < (g.*member).size(); ++layer) {
      for (std::size_t i = 0; i < (g.*member)[layer].values.size(); ++i) {
        adam(training, (g.*member)[layer].values[i], (training.moment1.*member)[layer].values[i],
             (training.moment2.*member)[layer].values[i], (training.parameters.*member)[layer].values[i]);
      }
    }
  };
  update(&Parameters::mu);
  update(&Parameters::phi);
  for (std::size_t group = 0; group < g.shared_phi.size(); ++group) {
    adam(training, g.shared_phi[group], training.moment1.shared_phi[group],
         training.moment2.shared_phi[group], training.parameters.shared_phi[group]);
  }
  training.last_gradient = g;
  ++training.step;
  return report;
}

}  // namespace oracle
