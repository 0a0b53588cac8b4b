/// \file
/// Small checkpoints, for tests and as seeds of the fuzzer.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "host/population/checkpoint.h"

namespace ensyn::test {

/// Values that differ everywhere; those of a single-precision network are exact as floats.
class Filler {
 public:
  explicit Filler(Precision precision) : precision_(precision) {}
  double next() {
    const double number = ++count_;
    return precision_ == Precision::single_precision ? number / 1024 : 1 / (3 * number);
  }
  std::vector<double> list(std::size_t count, double scale = 1) {
    std::vector<double> values;
    for (std::size_t i = 0; i < count; ++i) {
      values.push_back(scale * next());
    }
    return values;
  }

 private:
  Precision precision_;
  int count_ = 0;
};

/// Networks 3-4-2 of the given kinds, in the middle of an epoch.
inline Checkpoint make_checkpoint(const std::vector<NoiseKind>& kinds,
                                  Precision precision = Precision::single_precision) {
  Checkpoint result;
  result.config.architecture.sizes = {3, 4, 2};
  result.config.members.assign(kinds.size(), NetworkConfig{});
  result.config.batch = 5;
  result.config.precision = precision;
  result.step = 123456789012;
  result.train_examples = 100;
  result.train_digest = "0123abcd";
  Filler filler(precision);
  for (std::size_t m = 0; m < kinds.size(); ++m) {
    result.config.members[m].noise = kinds[m];
    result.config.members[m].seed = 0xfedcba9876543210u + m;
    NetworkState state;
    state.epoch = {15, 7, 0.1 + static_cast<double>(m)};
    for (const auto& [rows, columns] : {std::pair{4, 4}, std::pair{2, 5}}) {
      const auto count = static_cast<std::size_t>(rows * columns);
      LayerState layer{rows, columns, filler.list(count, -1), filler.list(count), filler.list(count), {},
                       {},   {}};
      if (kinds[m] == NoiseKind::heterogeneous) {
        layer.phi = filler.list(count, -8);
        layer.phi_moment1 = filler.list(count, -1);
        layer.phi_moment2 = filler.list(count);
      }
      state.layers.push_back(layer);
    }
    // The layers have four rows and two.
    const std::size_t groups = kinds[m] == NoiseKind::heterogeneous ? 0
                               : kinds[m] == NoiseKind::per_neuron  ? 6
                               : kinds[m] == NoiseKind::per_layer   ? 2
                                                                    : 1;
    state.shared_phi = {filler.list(groups, -1), filler.list(groups, -1), filler.list(groups)};
    result.members.push_back(state);
  }
  return result;
}

}  // namespace ensyn::test
