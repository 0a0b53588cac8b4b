// Products of weights, activations and gradients.
#pragma once

#include <cstddef>

#include "host/cpu/kernels.h"
#include "host/cpu/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ensyn::HWY_NAMESPACE {

/// Vectors per block of 16.
template <class T>
inline constexpr int kVectors = cpu::kBlock / kLanes<T>;

inline constexpr bool kManyRegisters = HWY_TARGET != HWY_AVX2;

[[nodiscard]] ENSYN_FN std::size_t offset_of(int row, int stride) {
  return static_cast<std::size_t>(row) * static_cast<std::size_t>(stride);
}

/// Sum of the lanes by halves: i + (i + n/2), ..
template <class D, class V>
ENSYN_FN auto sum_by_halves(D /*tag*/, V v) {
  if constexpr (hn::MaxLanes(D()) == 1) {
    return hn::GetLane(v);
  } else {
    const hn::Half<D> half;
    return sum_by_halves(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}

/// Sum of 16 partial sums spread over vectors, by halves.
template <class T>
ENSYN_FN T sum_of_block(Vec<T>* x) {
  ENSYN_UNROLL
  for (int n = kVectors<T> / 2; n >= 1; n /= 2) {
    ENSYN_UNROLL
    for (int i = 0; i < n; ++i) x[i] = x[i] + x[i + n];
  }
  return sum_by_halves(Tag<T>(), x[0].v[0]);
}

/// kRows x kBatch dot products of length `stride`, 16 partial sums each.
template <int kRows, int kBatch, class T>
ENSYN_FN void forward_tile(const cpu::ForwardArgs<T>& args, int row, int example) {
  Vec<T> sums[kRows][kBatch][kVectors<T>];
  for (auto& by_row : sums) {
    for (auto& by_example : by_row) {
      for (auto& v : by_example) v = constant<Vec<T>>(0);
    }
  }
  const T* w = args.weights + offset_of(row, args.stride);
  const T* x = args.input + offset_of(example, args.stride);
  for (int k = 0; k < args.stride; k += cpu::kBlock) {
    ENSYN_UNROLL
    for (int v = 0; v < kVectors<T>; ++v) {
      const int column = k + v * kLanes<T>;
      Vec<T> weights[kRows];
      ENSYN_UNROLL
      for (int r = 0; r < kRows; ++r) weights[r] = load(w + offset_of(r, args.stride) + column);
      ENSYN_UNROLL
      for (int b = 0; b < kBatch; ++b) {
        const Vec<T> input = load(x + offset_of(b, args.stride) + column);
        ENSYN_UNROLL
        for (int r = 0; r < kRows; ++r) sums[r][b][v] = fused(weights[r], input, sums[r][b][v]);
      }
    }
  }
  for (int b = 0; b < kBatch; ++b) {
    T* out = args.output + offset_of(example + b, args.output_stride) + row;
    for (int r = 0; r < kRows; ++r) {
      const T sum = sum_of_block(sums[r][b]);
      if (row + r < args.rows) out[r] = args.rectify && sum < T(0) ? T(0) : sum;
    }
  }
}

template <class T>
HWY_ATTR void forward(const cpu::ForwardArgs<T>& args) {
  // As many sums as registers hold beside the operands.
  constexpr int kRows = kManyRegisters && kVectors<T> <= 2 ? 4 : sizeof(T) == 4 ? 2 : 1;
  constexpr int kBatch = kVectors<T> == 1 ? 5 : kVectors<T> == 2 && kRows == 4 ? 2 : 3;
  for (int row = 0; row < args.rows; row += kRows) {
    int example = 0;
    for (; example + kBatch <= args.batch; example += kBatch) forward_tile<kRows, kBatch>(args, row, example);
    for (; example < args.batch; ++example) forward_tile<kRows, 1>(args, row, example);
  }
}

template <int kBatch, int kWidth, class T>
ENSYN_FN void backward_tile(const cpu::BackwardArgs<T>& args, int example, int column) {
  Vec<T> sums[kBatch][kWidth];
  for (auto& by_example : sums) {
    for (auto& v : by_example) v = constant<Vec<T>>(0);
  }
  const T* delta = args.delta + offset_of(example, args.delta_stride);
  for (int r = 0; r < args.rows; ++r) {
    const T* w = args.weights + offset_of(r, args.stride) + column;
    Vec<T> weights[kWidth];
    ENSYN_UNROLL
    for (int v = 0; v < kWidth; ++v) weights[v] = load(w + v * kLanes<T>);
    ENSYN_UNROLL
    for (int b = 0; b < kBatch; ++b) {
      const auto d = constant<Vec<T>>(delta[offset_of(b, args.delta_stride) + static_cast<std::size_t>(r)]);
      ENSYN_UNROLL
      for (int v = 0; v < kWidth; ++v) sums[b][v] = fused(d, weights[v], sums[b][v]);
    }
  }
  const auto zero = constant<Vec<T>>(0);
  for (int b = 0; b < kBatch; ++b) {
    const T* a = args.activation + offset_of(example + b, args.stride) + column;
    T* out = args.output + offset_of(example + b, args.output_stride) + column;
    for (int v = 0; v < kWidth; ++v) {
      store(select(less(zero, load(a + v * kLanes<T>)), sums[b][v], zero), out + v * kLanes<T>);
    }
  }
}

template <int kBatch, class T>
HWY_ATTR void backward_examples(const cpu::BackwardArgs<T>& args, int example) {
  int column = 0;
  for (; column + 4 * kLanes<T> <= args.stride; column += 4 * kLanes<T>) {
    backward_tile<kBatch, 4>(args, example, column);
  }
  for (; column + 2 * kLanes<T> <= args.stride; column += 2 * kLanes<T>) {
    backward_tile<kBatch, 2>(args, example, column);
  }
  for (; column < args.stride; column += kLanes<T>) backward_tile<kBatch, 1>(args, example, column);
  // The bias is no activation of the layer below.
  for (int b = 0; b < kBatch; ++b) {
    args.output[offset_of(example + b, args.output_stride) + static_cast<std::size_t>(args.bias)] = T(0);
  }
}

template <class T>
HWY_ATTR void backward(const cpu::BackwardArgs<T>& args) {
  constexpr int kBatch = kManyRegisters ? 5 : 2;
  int example = 0;
  for (; example + kBatch <= args.batch; example += kBatch) backward_examples<kBatch>(args, example);
  for (; example < args.batch; ++example) backward_examples<1>(args, example);
}

template <class T>
HWY_ATTR void normalize(const std::uint8_t* from, T scale, T shift, int count, T* to) {
  const hn::Rebind<std::uint8_t, Tag<T>> bytes;
  const hn::Rebind<std::int32_t, Tag<T>> integers;
  int i = 0;
  for (; i + kLanes<T> <= count; i += kLanes<T>) {
    const auto wide = hn::PromoteTo(integers, hn::LoadU(bytes, from + i));
    Vec<T> x;
    if constexpr (sizeof(T) == 4) {
      x = {{hn::ConvertTo(Tag<T>(), wide)}};
    } else {
      x = {{hn::PromoteTo(Tag<T>(), wide)}};
    }
    store_unaligned(fused(x, constant<Vec<T>>(scale), constant<Vec<T>>(shift)), to + i);
  }
  for (; i < count; ++i) to[i] = std::fma(static_cast<T>(from[i]), scale, shift);
}

}  // namespace ensyn::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
