// Softmax, its logarithm and cross-entropy, over one row of logits at a time.

#pragma once

#include <limits>

#include "host/cpu/dense-inl.h"
#include "host/cpu/kernels.h"
#include "host/cpu/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ensyn::HWY_NAMESPACE {

/// z - max, log sum e^(z - max) and the index of the maximum of one row.
template <class T>
struct RowSoftmax {
  T maximum, log_sum, reciprocal_sum;
  int best;
};

template <class T>
ENSYN_FN T first_lane(Vec<T> x) {
  return hn::GetLane(x.v[0]);
}

/// Padding of the row is overwritten by e^(z - max) = 0; `exponentials` receives the row's.
template <class T>
ENSYN_FN RowSoftmax<T> softmax_row(const T* logits, int classes, int stride, T* exponentials) {
  RowSoftmax<T> row{};
  row.best = 0;
  for (int k = 1; k < classes; ++k) {
    if (logits[k] > logits[row.best]) row.best = k;
  }
  row.maximum = logits[row.best];
  // Copied with the padding at minus infinity, whose exponential (clamped) is cleared below.
  for (int k = 0; k < stride; ++k) exponentials[k] = k < classes ? logits[k] - row.maximum : T(0);
  Vec<T> sums[kVectors<T>];
  for (auto& s : sums) s = constant<Vec<T>>(0);
  for (int k = 0; k < stride; k += cpu::kBlock) {
    for (int v = 0; v < kVectors<T>; ++v) {
      T* at = exponentials + k + v * kLanes<T>;
      store_unaligned(exponential(load_unaligned(at)), at);
      for (int i = k + v * kLanes<T>; i < k + (v + 1) * kLanes<T>; ++i) {
        if (i >= classes) exponentials[i] = T(0);
      }
      sums[v] = sums[v] + load_unaligned(at);
    }
  }
  const T sum = sum_of_block(sums);
  // The logarithm works on bits, so NaN has to be handed on: 0 is added to any other sum.
  row.log_sum = first_lane(logarithm(constant<Vec<T>>(sum))) + (sum - sum);
  row.reciprocal_sum = T(1) / sum;
  return row;
}

template <class T>
HWY_ATTR void loss(const cpu::LossArgs<T>& args) {
  HWY_ALIGN T exponentials[256 + cpu::kBlock];
  for (int b = 0; b < args.batch; ++b) {
    T* z = args.logits + offset_of(b, args.stride);
    const auto row = softmax_row(z, args.classes, args.stride, exponentials);
    const int label = args.labels[b];
    args.nll[b] = row.log_sum - (z[label] - row.maximum);
    args.correct[b] = row.best == label ? 1 : 0;
    for (int k = 0; k < args.stride; k += kLanes<T>) {
      store(load(exponentials + k) * constant<Vec<T>>(row.reciprocal_sum), z + k);
    }
    z[label] -= T(1);
  }
}

template <class T>
HWY_ATTR void log_softmax(T* logits, int stride, int classes, int batch) {
  HWY_ALIGN T exponentials[256 + cpu::kBlock];
  for (int b = 0; b < batch; ++b) {
    T* z = logits + offset_of(b, stride);
    const auto row = softmax_row(z, classes, stride, exponentials);
    for (int k = 0; k < classes; ++k) z[k] = (z[k] - row.maximum) - row.log_sum;
  }
}

}  // namespace ensyn::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
