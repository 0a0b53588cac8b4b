/// \file
/// Gradient in the four weights of one quad, summed over a minibatch.
#pragma once

#include "ensyn/detail/arithmetic.h"
#include "kernels/base/network.h"
#include "kernels/device/quad.h"
#include "kernels/device/views.h"

namespace ensyn::kernels {

/// The gradient at (row, column), both even, of one network; examples are added in order, as the CPU backend
/// does. Elements outside the layer are not meaningful.
template <class T>
__device__ inline Quad<T> gradient_quad(const LayerGradient<T>& of, int network, std::uint64_t step,
                                        int batch, int row, int column) {
  // A second row or column that is not there repeats the first.
  const int lower = min(row + 1, of.layer.rows - 1), bias = of.layer.columns - 1;
  const int left = min(column, bias), right = min(column + 1, bias);
  const T* delta = of.delta + network * of.delta_network_stride;
  Quad<T> g{};
  with_inputs(of.inputs, bias, network, step, batch, [&](const auto& reader_of) {
    for (int b = 0; b < batch; ++b, delta += of.delta_stride) {
      const auto input = reader_of(b);
      const T x[2] = {left == bias ? T(1) : input(left), right == bias ? T(1) : input(right)};
      const T d[2] = {delta[row], delta[lower]};
      ENSYN_UNROLL
      for (int i = 0; i < 2; ++i) {
        ENSYN_UNROLL
        for (int j = 0; j < 2; ++j) g.of[i][j] = detail::fused(d[i], x[j], g.of[i][j]);
      }
    }
  });
  return g;
}

/// The gradient at (row, column), read where it was computed elsewhere. Elements outside the layer are not
/// meaningful.
template <class T>
__device__ inline Quad<T> gradient_of(const LayerUpdate<T>& update, int network, std::uint64_t step,
                                      int batch, int row, int column) {
  if (update.ready_gradient == nullptr)
    return gradient_quad(update.gradient, network, step, batch, row, column);
  const Layer& layer = update.gradient.layer;
  const T* from = update.ready_gradient + network * update.ready_network_stride;
  Quad<T> g{};
  for_elements(layer, row, column,
               [&](int i, int j) { g.of[i][j] = from[offset_of(layer, row + i, column + j)]; });
  return g;
}

}  // namespace ensyn::kernels
