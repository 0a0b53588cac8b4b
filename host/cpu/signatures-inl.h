// Sums that signatures are measured from: powers of gradients, and products of squares.

#pragma once

#include "host/cpu/advance-inl.h"
#include "host/cpu/dense-inl.h"
#include "host/cpu/kernels.h"
#include "host/cpu/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ensyn::HWY_NAMESPACE {

template <class T>
HWY_ATTR void add_gradient_powers(const cpu::GradientPowers<T>& args) {
  const auto zero = constant<Vec<T>>(0);
  for_stretches<T>(args.blocks, [&]<int kWidth>(int column) HWY_ATTR {
    const auto gradients = gradient_tile<kWidth>(args.gradient, column);
    for (int row = 0; row < kRowGroup; ++row) {
      for (int v = 0; v < kWidth; ++v) {
        const auto at =
            offset_of(row, args.blocks * kBlock) + static_cast<std::size_t>(column + v * kLanes<T>);
        const Vec<T> g = add_magnitude_gradient(gradients.of[row][v], load(args.mu + at), args.magnitude,
                                                args.inverse_variance);
        store(fused(g, g, load(args.squared + at)), args.squared + at);
        store(load(args.absolute + at) + select(less(g, zero), zero - g, g), args.absolute + at);
      }
    }
  });
}

template <class T>
HWY_ATTR void add_products(const cpu::UpdateInput<T>& input, int blocks, T* sums) {
  for_stretches<T>(blocks, [&]<int kWidth>(int column) HWY_ATTR {
    const auto products = gradient_tile<kWidth>(input, column);
    for (int row = 0; row < kRowGroup; ++row) {
      for (int v = 0; v < kWidth; ++v) {
        T* at = sums + offset_of(row, blocks * kBlock) + column + v * kLanes<T>;
        store(load(at) + products.of[row][v], at);
      }
    }
  });
}

}  // namespace ensyn::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
