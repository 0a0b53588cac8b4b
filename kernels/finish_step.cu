// End of a training step, for each network: the epoch's sums, each phi that weights share, and Adam's rates
// of the next step, 1 - beta^t.
//
// These are a few scalars of each network, so they are double whatever the networks' precision, and computed
// by one thread each (the sums by one, a phi by another) in the order of the CPU backend, so that both give
// the same bits. The two halves of the work do not depend on each other and run in different warps.
// Determinism: gpu_to_gpu.

#include "kernels/finish_step.h"

#include <device/launch.h>

#include "ensyn/detail/step.h"

namespace ensyn::kernels {
namespace {

constexpr int kFirstPhiThread = 32, kPhiThreads = 32;
constexpr int kThreads = kFirstPhiThread + kPhiThreads;

template <class T>
__device__ inline void add_metrics(const FinishStep<T>& args, int network, NetworkProgress<T>& progress) {
  if (progress.diverged_at != kNoStep) return;
  const std::int64_t first = static_cast<std::int64_t>(network) * args.batch;
  double nll = 0;
  std::uint64_t correct = 0;
  for (int b = 0; b < args.batch; ++b) {
    nll += static_cast<double>(args.nll[first + b]);
    correct += args.correct[first + b];
  }
  // Infinity and NaN are the only numbers that differ from themselves by something else than 0.
  if (!(nll - nll == 0)) {
    progress.diverged_at = progress.step;
    return;
  }
  progress.nll += nll;
  progress.correct += correct;
  progress.examples += static_cast<std::uint64_t>(args.batch);
}

/// Each thread takes every so many of the network's groups; `first` is its own.
template <class T>
__device__ inline void update_shared(const FinishStep<T>& args, int network,
                                     const NetworkConstants<T>& constants, const PhiGroup* groups,
                                     const detail::AdamRates<T>& rates, int first) {
  for (int g = first; g < constants.group_count; g += kPhiThreads) {
    const PhiGroup& group = groups[g];
    const T* parts =
        args.partial_sums + static_cast<std::int64_t>(network) * args.partial_sum_count + group.first_part;
    double sum = 0;
    for (int i = 0; i < group.part_count; ++i) sum += static_cast<double>(parts[i]);
    T* at = args.shared_phi + 3 * (constants.first_phi + g);
    detail::SharedPhiValues<T> shared{at[0], at[1], at[2]};
    detail::update_shared_phi(shared, sum, group.size, constants.terms, constants.term_count,
                              constants.inverse_variance, rates);
    at[0] = shared.phi, at[1] = shared.moment1, at[2] = shared.moment2;
  }
}

template <class T>
__device__ inline detail::AdamRates<T> rates_of(const NetworkConstants<T>& constants, std::uint64_t step) {
  return detail::adam_rates<T>(constants.learning_rate, constants.beta1, constants.beta2, constants.epsilon,
                               step);
}

template <class T>
__global__ void __launch_bounds__(kThreads) finish_step_kernel(const __grid_constant__ FinishStep<T> args) {
  const int network = static_cast<int>(blockIdx.x),
            phi_thread = static_cast<int>(threadIdx.x) - kFirstPhiThread;
  const bool by_value = args.constants == nullptr;
  const NetworkConstants<T>& constants = by_value ? args.one_constants : args.constants[network];
  if (threadIdx.x == 0 && !by_value) add_metrics(args, network, args.progress[network]);
  if (phi_thread >= 0) {
    update_shared(args, network, constants, by_value ? &args.one_group : args.groups + constants.first_group,
                  by_value ? args.one_adam : args.progress[network].adam, phi_thread);
  }
  if (by_value) return;
  // The others still read what one of them advances.
  __syncthreads();
  if (phi_thread == 0) {
    NetworkProgress<T>& progress = args.progress[network];
    progress.step += 1;
    progress.adam = rates_of(constants, progress.step);
  }
}

}  // namespace

template <class T>
LaunchShape finish_step_shape(const FinishStep<T>& args) {
  LaunchShape shape;
  shape.grid.x = static_cast<unsigned>(args.networks);
  shape.block.x = kThreads;
  return shape;
}

template <class T>
void finish_step(const FinishStep<T>& args, cudaStream_t stream) {
  launch("finish_step", finish_step_kernel<T>, finish_step_shape(args), stream, args);
}

template LaunchShape finish_step_shape(const FinishStep<float>&);
template LaunchShape finish_step_shape(const FinishStep<double>&);
template void finish_step(const FinishStep<float>&, cudaStream_t);
template void finish_step(const FinishStep<double>&, cudaStream_t);

}  // namespace ensyn::kernels
