// Backward pass to the parameters of networks whose weights share a phi:
//   mu <- Adam(mu, g + lambda B/N sign(mu) + B/N dP/dmu), P the cost of the prior,
//   partial sums of g xi (and of B/N dP/dsigma of a Laplace prior), g = dL/dw, xi drawn again.
//
// A block owns four rows of one layer, the unit in which the CPU backend sums. Chunk by chunk of columns its
// threads, one quad each, compute g and xi and update mu; then 16 lanes add g xi to 16 sums, lane p taking
// columns p, p + 16, ... and in each the four rows in order; where each row has its own phi, 16 lanes for
// each row. At the end the 16 sums are added by halves. The order is the CPU backend's, so that both give the
// same bits. Determinism: gpu_to_gpu.

#include "kernels/homogeneous_update.h"

#include <device/block_shared.h>
#include <device/launch.h>

#include "kernels/device/adam.h"
#include "kernels/device/gradient.h"
#include "kernels/device/quad.h"

namespace ensyn::kernels {
namespace {

constexpr int kRows = 4, kColumns = 128, kLanes = 16;
constexpr int kThreads = kRows * kColumns / 4;
// Without a number of blocks to aim at, ptxas spills registers on some architectures for more of them.
constexpr int kBlocks = 4;

/// One chunk: what is summed. Two of them, so that one is summed while the next is computed.
template <class T, bool kLaplace>
struct Shared {
  T gradient[2][kRows][kColumns];
  T noise[2][kRows][kColumns];
  T prior[2][kLaplace ? kRows : 1][kLaplace ? kColumns : 1];  // its gradient in sigma
};

[[nodiscard]] __host__ __device__ constexpr int groups_of(const Layer& layer) {
  return (layer.rows + kRows - 1) / kRows;
}

/// What stays the same for all quads of a block.
template <class T>
struct Block {
  const LayerUpdate<T>& update;
  const NetworkConstants<T>& constants;
  const NetworkProgress<T>& progress;
  NoiseSource noise;
  int network, batch;
  bool noisy;
  const T* shared_phi;  ///< of the first row
};

/// Updates the mu of one quad and leaves its g, xi and the prior's gradient in sigma; zeros outside the
/// layer.
template <bool kLaplace, class T>
__device__ inline void update_quad(const Block<T>& block, int row, int column, Quad<T>& g, Quad<T>& xi,
                                   Quad<T>& prior) {
  const Layer& layer = block.update.gradient.layer;
  g = xi = prior = {};
  if (row >= layer.rows || column >= layer.columns) return;
  const Quad<T> gradient =
      gradient_of(block.update, block.network, block.progress.step, block.batch, row, column);
  Quad<T> normals{};
  if (block.noisy) normals = quad_normals<T>(quad_words(block.noise, row / 2, column / 2, layer.columns));
  const Parameters<T>& parameters = block.update.parameters;
  for_elements(layer, row, column, [&](int i, int j) {
    g.of[i][j] = gradient.of[i][j];
    xi.of[i][j] = normals.of[i][j];
    const std::int64_t at = block.network * parameters.network_stride + offset_of(layer, row + i, column + j);
    T total = g.of[i][j];
    if constexpr (kLaplace) {
      if (block.constants.inverse_scale != 0) {
        const bool by_row = block.constants.sharing == Sharing::row;
        const T sigma = detail::softplus(block.shared_phi[by_row ? 3 * (row + i) : 0]).value;
        const auto slopes = detail::laplace_gradient(parameters.mu[at], sigma, block.constants.inverse_scale);
        total = total + slopes.mu;
        prior.of[i][j] = slopes.sigma;
      }
    }
    update_mu(parameters, at, total, block.constants, block.progress.adam);
  });
}

/// Adds one row's part of a chunk to the sum of one of its 16 lanes.
template <class T, bool kLaplace>
__device__ inline T add_row(const Shared<T, kLaplace>& shared, int buffer, int thread, T sum) {
  const int row = thread / kLanes;
  for (int k = thread % kLanes; k < kColumns; k += kLanes) {
    sum = detail::fused(shared.gradient[buffer][row][k], shared.noise[buffer][row][k], sum);
    if constexpr (kLaplace) sum = sum + shared.prior[buffer][row][k];
  }
  return sum;
}

template <class T, bool kLaplace>
__global__ void __launch_bounds__(kThreads, kBlocks)
    homogeneous_update_kernel(const __grid_constant__ HomogeneousUpdate<T> args) {
  auto& shared = block_shared<Shared<T, kLaplace>>();
  const ParameterUpdate<T>& all = args.update;
  const int network = static_cast<int>(blockIdx.z), thread = static_cast<int>(threadIdx.x);
  const NetworkConstants<T>& constants = constants_of(all.networks, network);
  if (constants.sharing == Sharing::none) return;
  int group = static_cast<int>(blockIdx.x), l = 0;
  while (group >= groups_of(all.layers[l].gradient.layer)) group -= groups_of(all.layers[l++].gradient.layer);
  const LayerUpdate<T>& update = all.layers[l];
  const Layer& layer = update.gradient.layer;
  const NetworkProgress<T>& progress = progress_of(all.networks, network);
  const std::uint64_t step = all.draw.from_progress ? progress.step : all.draw.step;
  const Block<T> block{
      update,  constants, progress,       noise_source(constants, step, layer.tensor, all.draw.purpose),
      network, all.batch, all.draw.noisy, shared_phi_of(all.networks, constants, layer, 0)};

  const int row = 2 * (thread / (kColumns / 2)), column = 2 * (thread % (kColumns / 2));
  const bool by_row = constants.sharing == Sharing::row;
  T sum = 0;
  int buffer = 0;
  for (int first = 0; first < layer.columns; first += kColumns, buffer ^= 1) {
    Quad<T> g, xi, prior;
    update_quad<kLaplace>(block, group * kRows + row, first + column, g, xi, prior);
    ENSYN_UNROLL
    for (int i = 0; i < 2; ++i) {
      ENSYN_UNROLL
      for (int j = 0; j < 2; ++j) {
        shared.gradient[buffer][row + i][column + j] = g.of[i][j];
        shared.noise[buffer][row + i][column + j] = xi.of[i][j];
        if constexpr (kLaplace) shared.prior[buffer][row + i][column + j] = prior.of[i][j];
      }
    }
    __syncthreads();
    if (by_row) {
      if (thread < kRows * kLanes) sum = add_row(shared, buffer, thread, sum);
    } else if (thread < kLanes) {
      for (int k = thread; k < kColumns; k += kLanes) {
        ENSYN_UNROLL
        for (int r = 0; r < kRows; ++r) {
          sum = detail::fused(shared.gradient[buffer][r][k], shared.noise[buffer][r][k], sum);
          if constexpr (kLaplace) sum = sum + shared.prior[buffer][r][k];
        }
      }
    }
  }
  // Whole warps take part, also where only the first 16 lanes have a sum.
  if (thread >= kRows * kLanes) return;
  ENSYN_UNROLL
  for (int n = kLanes / 2; n >= 1; n /= 2) sum = sum + __shfl_xor_sync(0xFFFFFFFFu, sum, n);
  T* parts = args.partial_sums + static_cast<std::int64_t>(network) * args.partial_sum_stride;
  const int four = args.first_four + static_cast<int>(blockIdx.x);
  if (by_row) {
    if (thread % kLanes == 0) parts[kRows * four + thread / kLanes] = sum;
  } else if (thread == 0) {
    parts[four] = sum;
  }
}

}  // namespace

template <class T>
int partial_sum_count(const ParameterUpdate<T>& update) {
  int groups = 0;
  for (int l = 0; l < update.layer_count; ++l) groups += groups_of(update.layers[l].gradient.layer);
  return groups;
}

template <class T>
LaunchShape homogeneous_update_shape(const HomogeneousUpdate<T>& args) {
  LaunchShape shape;
  shape.grid.x = static_cast<unsigned>(partial_sum_count(args.update));
  shape.grid.z = static_cast<unsigned>(args.update.networks.count);
  shape.block.x = kThreads;
  shape.shared_bytes = args.update.networks.any_laplace ? sizeof(Shared<T, true>) : sizeof(Shared<T, false>);
  return shape;
}

template <class T>
void homogeneous_update(const HomogeneousUpdate<T>& args, cudaStream_t stream) {
  const auto kernel = args.update.networks.any_laplace ? homogeneous_update_kernel<T, true>
                                                       : homogeneous_update_kernel<T, false>;
  launch("homogeneous_update", kernel, homogeneous_update_shape(args), stream, args);
}

template int partial_sum_count(const ParameterUpdate<float>&);
template int partial_sum_count(const ParameterUpdate<double>&);
template LaunchShape homogeneous_update_shape(const HomogeneousUpdate<float>&);
template LaunchShape homogeneous_update_shape(const HomogeneousUpdate<double>&);
template void homogeneous_update(const HomogeneousUpdate<float>&, cudaStream_t);
template void homogeneous_update(const HomogeneousUpdate<double>&, cudaStream_t);

}  // namespace ensyn::kernels
