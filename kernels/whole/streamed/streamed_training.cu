// Whole training steps, many in one launch: for each step t of each network, with x_0 the minibatch,
//   x_l = f(w_l x_(l-1)),  w_l drawn at t;   loss;   delta_(l-1) = f' . w_l^T delta_l,  w_l drawn again;
//   g_l = delta_l x_(l-1)^T;   mu, phi <- Adam.
//
// A block trains a network; blocks never wait for one another. The update of step t is one pass with the
// forward product of t + 1: a tile of parameters comes into shared memory while the tile before is worked on,
// is updated, drawn and multiplied, and goes back, so that each is read and written once a step (once more is
// mu and phi read by the backward pass, of layers behind the first). A lane owns a quad of each of its warp's
// tiles for life: it alone copies, updates and writes it, and no thread waits for another but at the end of a
// row of tiles, where the sums of the warps that share it are added in order.
//
// Where weights share a phi, y = mu x and z = xi x are summed apart: x_l = y + sigma z, and the gradient in
// sigma is the sum of delta z, which is known before the next pass begins. So sigma is, and such networks
// draw their first layer once a step.
//
// Hidden layers have two buffers, for activations of step t and for gradients of t in turn: activations of
// t + 1 replace a row of gradients as soon as its update is done. Determinism: gpu_to_gpu.

#include "kernels/whole/streamed/streamed_training.h"

#include <device/block_shared.h>
#include <device/launch.h>

#include "ensyn/error.h"
#include "kernels/whole/streamed/pass.h"

namespace ensyn::kernels {
namespace {

using namespace streamed;  // NOLINT: all of it is of this kernel

/// Of a block.
template <class T, int kN>
constexpr int most_threads() {
#if defined(__CUDA_ARCH__)
  constexpr int kMajor = __CUDA_ARCH__ / 100;
#else
  constexpr int kMajor = 9;
#endif
  return 32 * streamed_warps(kMajor, sizeof(T) == sizeof(float), kN);
}

/// The gradient in sigma of each row, then every shared phi and the sigmas that follow.
template <class T>
__device__ inline void update_sigmas(const Block<T>& block, int parity) {
  const Tiling& tiling = block.args.of.tiling;
  T* row_sums = block.part(block.args.shape.row_sums);
  const T* noise = block.part(block.args.shape.noise_sums);
  for (int l = 0; l < tiling.layer_count; ++l) {
    const T* deltas = block.outputs(l, parity ^ 1);
    for (int r = block.thread; r < tiling.layers[l].layer.rows; r += block.threads()) {
      const int of_all = tiling.layers[l].first_row + r;
      T sum = 0;
      for (int b = 0; b < block.args.of.batch; ++b) {
        sum = detail::fused(deltas[b * block.args.shape.output_stride[l] + r],
                            noise[b * tiling.rows + of_all], sum);
      }
      row_sums[of_all] = sum;
    }
  }
  __syncthreads();
  update_shared_phis(block.args.of, block.constants, block.phis(), row_sums, block.progress().adam,
                     block.thread, block.args.shape.warps);
  __syncthreads();
  sigmas_of(tiling, block.constants, block.phis(), block.part(block.args.shape.sigmas), block.thread,
            block.threads());
}

/// Everything 0 but what stands beside examples and activations for good: inputs of biases, and the examples
/// that accompany pixels.
template <class T>
__device__ inline void clear_shared(const Block<T>& block, bool pixels) {
  const StreamedShape& shape = block.args.shape;
  auto* words = block.template part<unsigned>(shape.inputs);
  // What lies before is written before it is read.
  const unsigned count = (shape.shared_bytes - shape.inputs.at) / 4;
  for (unsigned i = static_cast<unsigned>(block.thread); i < count;
       i += static_cast<unsigned>(block.threads()))
    words[i] = 0;
  __syncthreads();
  const Tiling& tiling = block.args.of.tiling;
  const int batch = block.args.of.batch, features = tiling.layers[0].layer.columns - 1;
  for (int which = 0; which < 2; ++which) {
    if (pixels) {
      auto* at = block.template part<std::uint8_t>(shape.inputs, which);
      for (int i = block.thread; i < features; i += block.threads()) at[batch * shape.input_stride + i] = 1;
      if (block.thread == 0) at[(batch + 1) * shape.input_stride + features] = 1;
    } else {
      T* at = block.part(shape.inputs, which);
      for (int b = block.thread; b < batch; b += block.threads()) at[b * shape.input_stride + features] = 1;
    }
    for (int l = 0; l + 1 < tiling.layer_count; ++l) {
      for (int b = block.thread; b < batch; b += block.threads())
        block.outputs(l, which)[b * shape.output_stride[l] + tiling.layers[l].layer.rows] = 1;
    }
  }
}

/// The network's steps. Examples: Pixels or Values.
template <int kN, int kFields, class Examples, class Element, class T>
__device__ inline void train(const Block<T>& block) {
  constexpr bool kShared = kFields == kSharedPhiFields;
  const TiledTraining<T>& of = block.args.of;
  const StreamedShape& shape = block.args.shape;
  const int threads = block.threads(), last = of.tiling.layer_count - 1;
  const int features = of.tiling.layers[0].layer.columns - 1;
  clear_shared(block, Examples::kExact);
  __syncthreads();
  if (block.thread == 0) block.progress() = of.progress[block.network];
  prepare_keys(block.constants.seed, block.template part<unsigned>(shape.keys), block.thread);
  if constexpr (kShared)
    sigmas_of(of.tiling, block.constants, block.phis(), block.part(shape.sigmas), block.thread, threads);
  __syncthreads();
  const std::uint64_t first = block.progress().step;
  stage_inputs(block.minibatch(first), block.template part<Element>(shape.inputs), shape.input_stride,
               features, block.thread, threads);
  Tiles<T, kFields> tiles(block, of.steps + 1);
  __syncthreads();
  for (std::uint64_t i = 0; i <= of.steps; ++i) {
    const auto parity = static_cast<int>(i % 2);
    const Pass pass{first + i, i > 0, i < of.steps, parity};
    const Examples before{block.template part<Element>(shape.inputs, parity ^ 1), shape.input_stride};
    const Examples now{block.template part<Element>(shape.inputs, parity), shape.input_stride};
    pass_layer<kN>(block, tiles, pass, 0, before, now);
    // The next minibatch replaces the last.
    if (i + 1 < of.steps)
      stage_inputs(block.minibatch(pass.step + 1), block.template part<Element>(shape.inputs, parity ^ 1),
                   shape.input_stride, features, block.thread, threads);
    for (int l = 1; l <= last; ++l) {
      pass_layer<kN>(block, tiles, pass, l,
                     Values<T>{block.outputs(l - 1, parity ^ 1), shape.output_stride[l - 1]},
                     Values<T>{block.outputs(l - 1, parity), shape.output_stride[l - 1]});
    }
    if (!pass.forward) break;
    T* losses = block.part(shape.losses);
    auto* correct = block.template part<std::uint8_t>(shape.correct);
    loss_of(block.minibatch(pass.step), block.outputs(last, 0), shape.output_stride[last],
            of.tiling.layers[last].layer.rows, losses, correct, block.thread, shape.warps);
    // No warp reads the rates before the next pass, or the next barrier.
    if (block.thread == threads - 1) block.progress().adam = rates_of(block.constants, pass.step);
    __syncthreads();
    if (block.thread == 0) add_losses(block.progress(), pass.step, losses, correct, of.batch);
    for (int l = last; l >= 1; --l) backward_layer<kN, kFields>(block, pass, l);
    if constexpr (kShared) update_sigmas(block, parity);
    __syncthreads();
  }
  __syncthreads();
  if (block.thread == 0) {
    NetworkProgress<T>& progress = block.progress();
    progress.step = first + of.steps;
    progress.adam = rates_of(block.constants, progress.step);
    of.progress[block.network] = progress;
  }
}

template <class T, int kN, int kFields, bool kPixels>
__global__ void __launch_bounds__(most_threads<T, kN>(), 1)
    streamed_training_kernel(const __grid_constant__ StreamedTraining<T> args) {
#if ENSYN_WHOLE_NETWORKS
  const int network = args.of.members[blockIdx.x], thread = static_cast<int>(threadIdx.x);
  const Block<T> block{args,
                       args.of.constants[network],
                       block_shared_bytes(args.shape.shared_bytes),
                       args.of.state + args.of.state_offsets[network],
                       network,
                       thread,
                       thread / 32,
                       own_lane()};
  if constexpr (kPixels) {
    train<kN, kFields, Pixels<T>, std::uint8_t>(block);
  } else {
    train<kN, kFields, Values<T>, T>(block);
  }
#endif
}

template <class T, int kN>
void launch_kind(const StreamedTraining<T>& args, cudaStream_t stream) {
  const bool pixels = args.of.inputs.bytes != nullptr;
  const auto own = pixels ? streamed_training_kernel<T, kN, kOwnPhiFields, true>
                          : streamed_training_kernel<T, kN, kOwnPhiFields, false>;
  const auto shared = pixels ? streamed_training_kernel<T, kN, kSharedPhiFields, true>
                             : streamed_training_kernel<T, kN, kSharedPhiFields, false>;
  launch("streamed_training", args.of.own_phi ? own : shared, streamed_training_shape(args), stream, args);
}

}  // namespace

template <class T>
LaunchShape streamed_training_shape(const StreamedTraining<T>& args) {
  LaunchShape shape;
  shape.grid.x = static_cast<unsigned>(args.of.networks);
  shape.block.x = static_cast<unsigned>(32 * args.shape.warps);
  shape.shared_bytes = args.shape.shared_bytes;
  return shape;
}

template <class T>
void streamed_training(const StreamedTraining<T>& args, cudaStream_t stream) {
  if (args.shape.example_tiles == 3) return launch_kind<T, 3>(args, stream);
  if constexpr (sizeof(T) == sizeof(float)) {
    if (args.shape.example_tiles == 5) return launch_kind<T, 5>(args, stream);
  }
  throw ConfigError("streamed_training has no kernel for " + std::to_string(args.shape.example_tiles) +
                    " eights of examples: take 3, or 5 in single precision");
}

template LaunchShape streamed_training_shape(const StreamedTraining<float>&);
template LaunchShape streamed_training_shape(const StreamedTraining<double>&);
template void streamed_training(const StreamedTraining<float>&, cudaStream_t);
template void streamed_training(const StreamedTraining<double>&, cudaStream_t);

}  // namespace ensyn::kernels
