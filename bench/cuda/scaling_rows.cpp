#include "scaling_rows.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>

namespace scaling {
namespace {

using ensyn::TrainingMethod;

constexpr std::array kNetworks{1, 8, 30, 120, 240, 1024};
constexpr std::array kWidths{32, 100, 256, 1024};
constexpr std::array kBatches{8, 20, 64, 512};
constexpr int kWidth = 100, kBatch = 20;  // the paper's
/// With which widths are crossed with minibatches: enough to fill a device with any of them.
constexpr int kSome = 30;

// Of an H200: a copy's bytes per second, instructions of a lane per second, and floating-point operations
// per second in single precision. Only the first was measured on one, by others.
constexpr double kMemoryRate = 4.3e12, kIssueRate = 3.2e13, kOperationRate = 67e12;

/// Of one network's parameters: mu and its two moments are there for all, phi and its own only where each
/// weight has one.
double state_bytes(const Row& row) {
  return (row.own_phi ? 24.0 : 12.0) * static_cast<double>(config_of(row).architecture.parameters());
}

/// Floating-point operations of the three products of one network's step; the first layer has no gradient
/// of its inputs.
double operations(const Row& row) {
  const ensyn::Architecture architecture = config_of(row).architecture;
  const auto weights = static_cast<double>(architecture.weights());
  const double first = static_cast<double>(architecture.sizes[0]) * architecture.sizes[1];
  return 2.0 * row.batch * (3 * weights - first);
}

/// Activations and their gradients.
double activation_bytes(const Row& row) {
  return 4.0 * row.networks * row.batch * (4.0 * row.hidden + 10);
}

double graph_bytes(const Row& row) {
  return row.networks * state_bytes(row) + activation_bytes(row);
}

/// Whole networks are trained in tiles, which are made of rows and given back as rows.
double tiled_bytes(const Row& row) {
  return 2.0 * row.networks * state_bytes(row);
}

std::string gigabytes(double bytes) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.3g GB", bytes / 1e9);
  return text;
}

}  // namespace

std::string name(const Row& row) {
  return std::string(row.own_phi ? "heterogeneous" : "homogeneous") +
         "/networks:" + std::to_string(row.networks) + "/hidden:" + std::to_string(row.hidden) +
         "/batch:" + std::to_string(row.batch);
}

std::vector<Row> all_rows(bool emulation) {
  if (emulation) return {{2, 12, 8, true}, {3, 5, 4, false}};
  std::vector<Row> rows;
  for (const int networks : kNetworks) {
    for (const int hidden : kWidths) rows.push_back({networks, hidden, kBatch, true});
  }
  for (const int batch : kBatches) {
    if (batch == kBatch) continue;
    for (const int networks : kNetworks) rows.push_back({networks, kWidth, batch, true});
    for (const int hidden : kWidths) {
      if (hidden != kWidth) rows.push_back({kSome, hidden, batch, true});
    }
  }
  for (const int networks : kNetworks) rows.push_back({networks, kWidth, kBatch, false});
  return rows;
}

ensyn::PopulationConfig config_of(const Row& row) {
  ensyn::PopulationConfig config = ensyn::paper_preset(
      2.0, 1.0, row.own_phi ? ensyn::NoiseKind::heterogeneous : ensyn::NoiseKind::homogeneous);
  config.architecture.sizes = {784, row.hidden, row.hidden, 10};
  config.batch = row.batch;
  config.members.front().adam.epsilon = 1;
  config.members.front().sigma_init = 0.1;
  const ensyn::NetworkConfig member = config.members.front();
  config.members.assign(static_cast<std::size_t>(row.networks), member);
  // Named, so that a member alone has the noise that it has among the others.
  for (std::size_t m = 0; m < config.members.size(); ++m)
    config.members[m].stream = static_cast<std::uint32_t>(m);
  return config;
}

Limit binding_limit(const Row& row, bool on_chip) {
  const double parameters =
      static_cast<double>(config_of(row).architecture.parameters()) * static_cast<double>(row.networks);
  // Read and written once a step; instructions as counted of prototypes.
  const std::array limits{
      Limit{"memory", on_chip ? 0 : 2 * row.networks * state_bytes(row) / kMemoryRate},
      Limit{"issue", (row.own_phi ? 81.0 : 52.0) * parameters / kIssueRate},
      Limit{"multiply-adds", row.networks * operations(row) / kOperationRate},
  };
  return *std::max_element(limits.begin(), limits.end(),
                           [](const Limit& a, const Limit& b) { return a.seconds < b.seconds; });
}

double bytes_needed(const Row& row, TrainingMethod method) {
  if (method == TrainingMethod::graph) return graph_bytes(row);
  const double tiled = tiled_bytes(row);
  return method == TrainingMethod::automatic ? std::min(tiled, graph_bytes(row)) : tiled;
}

std::string how_to_split(const Row& row, TrainingMethod method, double free) {
  const double bytes = method == TrainingMethod::automatic ? std::max(tiled_bytes(row), graph_bytes(row))
                                                           : bytes_needed(row, method);
  const std::string needs = "needs about " + gigabytes(bytes) + ", " + gigabytes(free) + " are free: ";
  const double fit = std::floor(0.9 * free / bytes * row.networks);  // the rest is for data and the context
  if (fit < 1) return needs + "not one network fits";
  const double parts = std::ceil(row.networks / fit);
  return needs + "to be trained in " + std::to_string(static_cast<int>(parts)) + " parts of " +
         std::to_string(static_cast<int>(std::ceil(row.networks / parts))) + " networks";
}

}  // namespace scaling
