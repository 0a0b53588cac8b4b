/// \file
/// Which networks hold a number that is not finite.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/base/launch_shape.h"
#include "kernels/base/network.h"

namespace ensyn::kernels {

/// Looks at what belongs to one layer: mu, phi and their moments, whether phi is each weight's own or shared,
/// and the epoch's sum of losses. Sets a network's flag where any of it is infinite or NaN, and leaves the
/// flag alone elsewhere, so that the layers of a network are looked at one after the other. Elements between
/// a row's end and its stride do not count, nor do the rows of phi of a network whose weights share it.
template <class T>
struct NotFinite {
  Networks<T> networks;
  Layer layer;
  Parameters<T> parameters;
  unsigned* found = nullptr;  ///< a flag of each network, becomes 1
};

template <class T>
[[nodiscard]] LaunchShape not_finite_shape(const NotFinite<T>& args);

/// \throws DeviceError
template <class T>
void not_finite(const NotFinite<T>& args, cudaStream_t stream);

}  // namespace ensyn::kernels
