/// \file
/// The rows of the scaling table, what a step of each has to do at the least, and the memory it needs.
#pragma once

#include <string>
#include <vector>

#include "ensyn/config.h"

namespace scaling {

/// Networks 784-hidden-hidden-10, all of one kind.
struct Row {
  int networks = 1;
  int hidden = 100;
  int batch = 20;
  bool own_phi = true;  ///< heterogeneous noise; otherwise homogeneous
};

/// For example `heterogeneous/networks:240/hidden:100/batch:20`.
[[nodiscard]] std::string name(const Row& row);

/// Numbers of networks by widths, by minibatches, and widths by minibatches; homogeneous at the paper's
/// shape. Under emulation one small row of each kind.
[[nodiscard]] std::vector<Row> all_rows(bool emulation);

/// The paper's networks of that size, except that Adam's epsilon is 1 and sigma starts at 0.1: so a rounding
/// of a gradient is not blown up, and a wrong one shows in what the row is checked by. Neither changes what
/// is computed.
[[nodiscard]] ensyn::PopulationConfig config_of(const Row& row);

/// What no step of all networks can do with less time, on the device that the numbers are of.
struct Limit {
  const char* name = "";
  double seconds = 0;
};

/// The largest of the limits of an H200.
/// \param on_chip whether parameters stay there from step to step
[[nodiscard]] Limit binding_limit(const Row& row, bool on_chip);

/// About how many bytes of device memory the row takes by a method; `automatic`: by the one that takes least.
[[nodiscard]] double bytes_needed(const Row& row, ensyn::TrainingMethod method);

/// What is said of a row that does not fit into `free` bytes: how much it needs, and the parts to train it
/// in. For `automatic` the most of any method, since it is not known which one was refused.
[[nodiscard]] std::string how_to_split(const Row& row, ensyn::TrainingMethod method, double free);

}  // namespace scaling
