#include "host/driver/sweep/grid.h"

#include <algorithm>
#include <array>

#include "host/driver/files/csv.h"
#include "host/driver/files/text.h"

namespace ensyn::driver {
namespace {

/// sweep.csv is replaced whenever networks finish, so it should stay a file of some megabytes.
constexpr std::size_t kMostNetworks = 100000;

enum Axis : std::size_t { kHidden, kRho, kC, kLambda, kLr, kNoise, kSeed, kAxes };

using Position = std::array<std::size_t, kAxes>;

Position lengths(const SweepSettings& s) {
  // The variational objective has neither rho nor c: one value that is not used.
  return {s.hidden.size(),
          std::max<std::size_t>(s.rho.size(), 1),
          std::max<std::size_t>(s.c.size(), 1),
          s.lambda.size(),
          s.lr.size(),
          s.noise.size(),
          s.seeds.size()};
}

Position position(const SweepSettings& settings, std::size_t index) {
  const Position length = lengths(settings);
  Position at{};
  for (std::size_t axis = kAxes; axis-- > 0; index /= length[axis]) at[axis] = index % length[axis];
  return at;
}

std::string hidden_text(const std::vector<int>& widths) {
  std::string text;
  for (const int width : widths) text += (text.empty() ? "" : "x") + std::to_string(width);
  return text.empty() ? "none" : text;
}

}  // namespace

Grid::Grid(const SweepSettings& settings) : settings_(settings) {
  const Position length = lengths(settings);
  for (const std::size_t n : length) {
    if (n > kMostNetworks / size_) {
      throw ConfigError("the grid has more than " + grouped(kMostNetworks) +
                        " networks: split it into several sweeps, for example by --seed or --rho");
    }
    size_ *= n;
  }
  // Every value of each axis is valid when these are; sums over axes suffice, not products.
  Position stride{};
  std::size_t step = 1;
  for (std::size_t axis = kAxes; axis-- > 0; step *= length[axis]) stride[axis] = step;
  for (std::size_t axis = 0; axis < kAxes; ++axis) {
    for (std::size_t i = 0; i < length[axis]; ++i) {
      network(i * stride[axis]).validate();
      architecture(i * stride[axis]).validate();
    }
  }
}

NetworkConfig Grid::network(std::size_t index) const {
  const Position at = position(settings_, index);
  NetworkConfig network = settings_.base.population.members.front();
  network.stream = 0;
  if (!settings_.rho.empty()) network.costs = {{settings_.rho[at[kRho]], settings_.c[at[kC]]}};
  network.lambda = settings_.lambda[at[kLambda]];
  network.adam.learning_rate = settings_.lr[at[kLr]];
  network.noise = settings_.noise[at[kNoise]];
  network.seed = settings_.seeds[at[kSeed]];
  return network;
}

std::size_t Grid::hidden(std::size_t index) const {
  return position(settings_, index)[kHidden];
}

Architecture Grid::architecture(std::size_t index) const {
  Architecture architecture = settings_.base.population.architecture;
  const std::vector<int>& widths = settings_.hidden[hidden(index)];
  std::vector<int> sizes = {architecture.inputs()};
  sizes.insert(sizes.end(), widths.begin(), widths.end());
  sizes.push_back(architecture.outputs());
  architecture.sizes = sizes;
  return architecture;
}

PopulationConfig Grid::population(std::span<const std::size_t> networks) const {
  PopulationConfig config = settings_.base.population;
  config.architecture = architecture(networks.front());
  config.members.clear();
  for (const std::size_t index : networks) config.members.push_back(network(index));
  return config;
}

std::vector<std::string> Grid::cell_key(std::size_t index) const {
  const Position at = position(settings_, index);
  const bool costs = !settings_.rho.empty();
  return {costs ? exact(settings_.rho[at[kRho]]) : "",
          costs ? exact(settings_.c[at[kC]]) : "",
          std::string(name(settings_.noise[at[kNoise]])),
          exact(settings_.lambda[at[kLambda]]),
          exact(settings_.lr[at[kLr]]),
          hidden_text(settings_.hidden[at[kHidden]])};
}

std::string Grid::key(std::size_t index) const {
  std::vector<std::string> cells = cell_key(index);
  cells.insert(cells.begin() + 3, std::to_string(settings_.seeds[position(settings_, index)[kSeed]]));
  std::string text;
  for (const std::string& cell : cells) text += (&cell == cells.data() ? "" : ",") + cell;
  return text;
}

}  // namespace ensyn::driver
