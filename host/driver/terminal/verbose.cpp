#include "host/driver/terminal/verbose.h"

#include <atomic>
#include <iostream>
#include <string>

namespace ensyn::driver {
namespace {

std::atomic<bool> verbose{false};

}  // namespace

void set_verbose(bool on) noexcept {
  verbose = on;
}

void announce(const Population& population) {
  if (!verbose) return;
  const TrainingInfo training = population.training();
  // One write, so that lines of several processes stay whole.
  std::cerr << "ensyn: " + std::to_string(population.size()) +
                   (population.size() == 1 ? " network on " : " networks on ") + population.device() +
                   "; training method " + training.method + ": " + training.reason + "\n"
            << std::flush;
}

}  // namespace ensyn::driver
