/// \file
/// Softmax of one example's logits z by 16 lanes; lane p takes classes p, p + 16, ... in order, and sums are
/// added by halves: the order of the CPU backend, so that both give the same bits.
#pragma once

#include "ensyn/detail/arithmetic.h"

namespace ensyn::kernels {

inline constexpr int kSoftmaxLanes = 16;

template <class T>
struct Softmax {
  T maximum, log_sum, reciprocal_sum;
  int best;  ///< first of the largest logits
};

/// Every lane of the 16 gets the same. All lanes of a warp must call.
template <class T>
__device__ inline Softmax<T> softmax_of(const T* logits, int classes, int lane) {
  constexpr unsigned kAll = 0xFFFFFFFFu;
  Softmax<T> result{};
  // Classes beyond the last repeat class 0, which never wins over itself.
  T maximum = logits[0];
  int best = 0;
  for (int k = lane; k < classes; k += kSoftmaxLanes) {
    if (maximum < logits[k]) maximum = logits[k], best = k;
  }
  ENSYN_UNROLL
  for (int n = kSoftmaxLanes / 2; n >= 1; n /= 2) {
    const T other = __shfl_xor_sync(kAll, maximum, n);
    const int other_best = __shfl_xor_sync(kAll, best, n);
    const bool wins = maximum < other || (maximum == other && other_best < best);
    maximum = wins ? other : maximum;
    best = wins ? other_best : best;
  }
  T sum = 0;
  for (int k = lane; k < classes; k += kSoftmaxLanes) sum = sum + detail::exponential(logits[k] - maximum);
  ENSYN_UNROLL
  for (int n = kSoftmaxLanes / 2; n >= 1; n /= 2) sum = sum + __shfl_xor_sync(kAll, sum, n);
  result.maximum = maximum;
  // The logarithm works on bits, so NaN has to be handed on: 0 is added to any other sum.
  result.log_sum = detail::logarithm(sum) + (sum - sum);
  result.reciprocal_sum = T(1) / sum;
  result.best = best;
  return result;
}

/// Replaces the logits of one example, whose softmax this is, by dL/dz = p - onehot(label); `nll` and
/// `correct` are written by one of the 16 lanes.
template <class T>
__device__ inline void cross_entropy_of(T* z, int classes, int label, const Softmax<T>& softmax, int lane,
                                        T& nll, std::uint8_t& correct) {
  for (int k = lane; k < classes; k += kSoftmaxLanes) {
    const T shifted = z[k] - softmax.maximum;
    if (k == label) {
      nll = softmax.log_sum - shifted;
      correct = softmax.best == label ? 1 : 0;
    }
    const T p = detail::exponential(shifted) * softmax.reciprocal_sum;
    z[k] = k == label ? p - T(1) : p;
  }
}

}  // namespace ensyn::kernels
