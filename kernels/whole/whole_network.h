/// \file
/// What blocks that train whole networks do beside the products: examples into shared memory, the loss, a phi
/// that weights share, a step's end.
#pragma once

#include <cstdint>

#include "ensyn/detail/step.h"
#include "kernels/device/softmax.h"
#include "kernels/device/views.h"
#include "kernels/whole/tiles.h"

namespace ensyn::kernels {

/// Where a step's minibatch lies.
template <class T>
struct Minibatch {
  const TiledTraining<T>& of;
  int network;
  std::uint64_t step;
  [[nodiscard]] __device__ const Inputs<T>& inputs() const { return of.inputs; }
  [[nodiscard]] __device__ int count() const { return of.batch; }
  [[nodiscard]] __device__ std::int64_t example(int b) const {
    return example_of(of.inputs, network, step, of.batch, b);
  }
};

/// Copies the minibatch's pixels, as bytes, to `to`, whose padding, bias and what follows the examples
/// (Pixels, tile_product.h) stand there already. `Examples` is a Minibatch or alike.
template <class Examples>
__device__ inline void stage_inputs(const Examples& minibatch, std::uint8_t* to, int stride, int features,
                                    int thread, int threads) {
  const std::uint8_t* bytes = minibatch.inputs().bytes;
  constexpr int kWord = 4;
  // Words where every example begins at one.
  const bool words = features % kWord == 0 && reinterpret_cast<std::uintptr_t>(bytes) % kWord == 0;
  const int width = words ? kWord : 1, of_example = features / width;
  for (int i = thread; i < minibatch.count() * of_example; i += threads) {
    const int b = i / of_example, at = i % of_example * width;
    const std::uint8_t* from = bytes + minibatch.example(b) * features + at;
    if (words) {
      *reinterpret_cast<unsigned*>(to + b * stride + at) = *reinterpret_cast<const unsigned*>(from);
    } else {
      to[b * stride + at] = *from;
    }
  }
}
/// As above, of inputs that are numbers.
template <class Examples, class T>
__device__ inline void stage_inputs(const Examples& minibatch, T* to, int stride, int features, int thread,
                                    int threads) {
  for (int i = thread; i < minibatch.count() * features; i += threads) {
    const int b = i / features, at = i % features;
    to[b * stride + at] = static_cast<T>(minibatch.inputs().floats[minibatch.example(b) * features + at]);
  }
}

/// Replaces the last layer's outputs, example x stride, by the gradient of the loss in them. Warps [0, warps)
/// of the block call.
template <class T>
__device__ inline void loss_of(const Minibatch<T>& minibatch, T* outputs, int stride, int count, T* nll,
                               std::uint8_t* correct, int thread, int warps) {
  const TiledTraining<T>& of = minibatch.of;
  const int lane = thread % kSoftmaxLanes;
  // Two examples a warp, which stays together for the sake of the shuffles.
  for (int pair = thread / 32; 2 * pair < of.batch; pair += warps) {
    const int b = 2 * pair + thread % 32 / kSoftmaxLanes;
    const bool valid = b < of.batch;
    const int example = valid ? b : of.batch - 1;
    T* z = outputs + example * stride;
    if (of.targets == nullptr) {
      const Softmax<T> softmax = softmax_of(z, count, lane);
      if (valid)
        cross_entropy_of(z, count, of.labels[minibatch.example(b)], softmax, lane, nll[b], correct[b]);
      continue;
    }
    T sum = 0;
    const float* y = of.targets + minibatch.example(example) * count;
    if (valid) {
      for (int k = lane; k < count; k += kSoftmaxLanes) {
        const auto error = detail::squared_error(z[k], static_cast<T>(y[k]), of.inverse_variance);
        sum = sum + error.nll;
        z[k] = error.slope;
      }
    }
    ENSYN_UNROLL
    for (int n = kSoftmaxLanes / 2; n >= 1; n /= 2) sum = sum + __shfl_xor_sync(0xFFFFFFFFu, sum, n);
    if (valid && lane == 0) nll[b] = sum + of.error_constant, correct[b] = 0;
  }
}

/// Adds a step's losses to the epoch's sums, by one thread in order.
template <class T>
__device__ inline void add_losses(NetworkProgress<T>& progress, std::uint64_t step, const T* nll,
                                  const std::uint8_t* correct, int batch) {
  if (progress.diverged_at != kNoStep) return;
  double sum = 0;
  std::uint64_t right = 0;
  for (int b = 0; b < batch; ++b) sum += static_cast<double>(nll[b]), right += correct[b];
  // Infinity and NaN are the only numbers that differ from themselves by something else than 0.
  if (!(sum - sum == 0)) {
    progress.diverged_at = step;
    return;
  }
  progress.nll += sum;
  progress.correct += right;
  progress.examples += static_cast<std::uint64_t>(batch);
}

template <class T>
__device__ inline detail::AdamRates<T> rates_of(const NetworkConstants<T>& constants, std::uint64_t step) {
  return detail::adam_rates<T>(constants.learning_rate, constants.beta1, constants.beta2, constants.epsilon,
                               step);
}

/// Rows [first, first + count) of all the network's, which share phi number `group`.
struct GroupRows {
  int first, count;
};
__device__ inline GroupRows rows_of_group(const Tiling& tiling, Sharing sharing, int group) {
  if (sharing == Sharing::row) return {group, 1};
  if (sharing == Sharing::layer) return {tiling.layers[group].first_row, tiling.layers[group].layer.rows};
  return {0, tiling.rows};
}

/// Sigma of each row from the phi that it shares; `phis` are the network's, with their moments. All threads
/// of the block call.
template <class T>
__device__ inline void sigmas_of(const Tiling& tiling, const NetworkConstants<T>& constants, const T* phis,
                                 T* sigmas, int thread, int threads) {
  for (int group = 0; group < constants.group_count; ++group) {
    const GroupRows rows = rows_of_group(tiling, constants.sharing, group);
    if (rows.count == 1 && group % threads != thread) continue;
    const T sigma = detail::softplus(phis[3 * group]).value;
    for (int i = rows.count == 1 ? 0 : thread; i < rows.count; i += threads) sigmas[rows.first + i] = sigma;
  }
}

/// One step of every phi that weights share; `row_sums` has dL/dsigma, summed over examples and inputs, of
/// each row. Whole warps call: a warp takes a phi, its lanes add rows 32 apart, then by halves.
template <class T>
__device__ inline void update_shared_phis(const TiledTraining<T>& of, const NetworkConstants<T>& constants,
                                          T* phis, const T* row_sums, const detail::AdamRates<T>& rates,
                                          int thread, int warps) {
  for (int group = thread / 32; group < constants.group_count; group += warps) {
    const GroupRows rows = rows_of_group(of.tiling, constants.sharing, group);
    double sum = 0;
    for (int i = thread % 32; i < rows.count; i += 32) sum += static_cast<double>(row_sums[rows.first + i]);
    ENSYN_UNROLL
    for (int n = 16; n >= 1; n /= 2) sum = sum + __shfl_xor_sync(0xFFFFFFFFu, sum, n);
    if (thread % 32 != 0) continue;
    T* at = phis + 3 * group;
    detail::SharedPhiValues<T> shared{at[0], at[1], at[2]};
    detail::update_shared_phi(shared, sum, of.groups[constants.first_group + group].size, constants.terms,
                              constants.term_count, constants.inverse_variance, rates);
    at[0] = shared.phi, at[1] = shared.moment1, at[2] = shared.moment2;
  }
}

}  // namespace ensyn::kernels
