/// \file
/// The networks of a sweep, in the order in which sweep.csv has them.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "host/driver/sweep/sweep_settings.h"

namespace ensyn::driver {

/// Every combination of a sweep's values; hidden layers vary slowest, then rho, c, lambda, learning rate and
/// noise, and seeds fastest. Each network has noise stream 0, as a network of `ensyn train` has, so that its
/// training is a function of its own settings and of nothing else in the grid.
class Grid {
 public:
  /// \param settings are kept by reference; their base's architecture has been completed.
  /// \throws ConfigError when there are too many networks or one of them is not valid
  explicit Grid(const SweepSettings& settings);

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] NetworkConfig network(std::size_t index) const;
  /// Which of the settings' `hidden` it has.
  [[nodiscard]] std::size_t hidden(std::size_t index) const;
  [[nodiscard]] Architecture architecture(std::size_t index) const;
  /// These networks, of one architecture, as a population.
  [[nodiscard]] PopulationConfig population(std::span<const std::size_t> networks) const;
  /// The first cells of its row in sweep.csv, `rho,c,noise,seed,lambda,lr,hidden`.
  [[nodiscard]] std::string key(std::size_t index) const;
  /// The same without the seed, cell by cell.
  [[nodiscard]] std::vector<std::string> cell_key(std::size_t index) const;

 private:
  const SweepSettings& settings_;
  std::size_t size_ = 1;
};

}  // namespace ensyn::driver
