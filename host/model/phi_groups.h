/// \file
/// Which weights share one phi: each its own (heterogeneous), or those of one group, which is a neuron (a row
/// of a layer, its bias included), a layer, or the network. Groups are numbered in the order of layers and
/// rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ensyn/config.h"

namespace ensyn {

/// Number of groups; 0 for heterogeneous noise.
[[nodiscard]] std::uint64_t phi_group_count(NoiseKind noise, const Architecture& architecture);

class PhiGroups {
 public:
  PhiGroups(NoiseKind noise, const Architecture& architecture);

  [[nodiscard]] std::size_t count() const noexcept { return sizes_.size(); }
  /// Whether each row is a group.
  [[nodiscard]] bool by_row() const noexcept { return by_row_; }
  /// The group of a row; not to be asked for heterogeneous noise.
  [[nodiscard]] std::size_t of(int layer, int row) const noexcept {
    return first_[static_cast<std::size_t>(layer)] + (by_row_ ? static_cast<std::size_t>(row) : 0);
  }
  /// Number of weights and biases in a group.
  [[nodiscard]] double size(std::size_t group) const noexcept { return sizes_[group]; }

 private:
  bool by_row_;
  std::vector<std::size_t> first_;  ///< group of each layer's first row
  std::vector<double> sizes_;
};

}  // namespace ensyn
