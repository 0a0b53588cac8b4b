// Trains a small network of noisy weights and says what it achieved and what it costs.
#include <ensyn/ensyn.h>

#include <iostream>

int main() {
  const auto [train, test] = ensyn::load_digits();
  ensyn::PopulationConfig config = ensyn::paper_preset(/*rho=*/2, /*c=*/0.01);
  config.architecture.sizes = {train.feature_count(), 50, train.classes()};
  config.members[0].adam.learning_rate = 1e-3;
  ensyn::Network network(config, train);
  network.train(/*epochs=*/20);
  std::cout << "accuracy " << network.evaluate(test).sample.accuracy << ", sigma "
            << network.energy().sigma_rms << '\n';
}
