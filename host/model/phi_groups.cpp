#include "host/model/phi_groups.h"

namespace ensyn {

std::uint64_t phi_group_count(NoiseKind noise, const Architecture& architecture) {
  std::uint64_t rows = 0;
  switch (noise) {
    case NoiseKind::heterogeneous:
      break;
    case NoiseKind::per_neuron:
      for (std::size_t l = 1; l < architecture.sizes.size(); ++l)
        rows += static_cast<std::uint64_t>(architecture.sizes[l]);
      return rows;
    case NoiseKind::per_layer:
      return static_cast<std::uint64_t>(architecture.layers());
    case NoiseKind::homogeneous:
      return 1;
  }
  return 0;
}

PhiGroups::PhiGroups(NoiseKind noise, const Architecture& architecture)
    : by_row_(noise == NoiseKind::per_neuron), sizes_(phi_group_count(noise, architecture)) {
  std::size_t group = 0;
  for (int l = 0; l < architecture.layers(); ++l) {
    const int rows = architecture.sizes[static_cast<std::size_t>(l) + 1];
    const double columns = architecture.sizes[static_cast<std::size_t>(l)] + 1.0;
    first_.push_back(group);
    if (noise == NoiseKind::heterogeneous) continue;
    for (int row = 0; row < rows; ++row) sizes_[of(l, row)] += columns;
    if (noise == NoiseKind::per_neuron) group += static_cast<std::size_t>(rows);
    if (noise == NoiseKind::per_layer) group += 1;
  }
}

}  // namespace ensyn
