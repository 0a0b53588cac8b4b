// Backward pass to the parameters, fused with the costs and Adam:
//   mu  <- Adam(mu,  g dw/dmu + lambda B/N sign(mu) + B/N dP/dmu), P the cost of the prior,
//   phi <- Adam(phi, (g dw/dsigma + B/N (dR/dsigma + dP/dsigma)) dsigma/dphi),
//   g = sum over b of delta[b][r] x[b][k], w drawn again; for the Gaussian law dw/dmu = 1 and dw/dsigma = xi.
//
// A thread owns one quad: its four gradients, its one Philox block, its four parameters of each kind. A warp
// covers 64 consecutive columns of two rows, so that its accesses are whole lines. All layers go in one
// launch: the smaller ones fill what the larger leaves of the device. Determinism: gpu_to_gpu.

#include "kernels/parameter_update.h"

#include <device/launch.h>

#include "kernels/device/adam.h"
#include "kernels/device/gradient.h"
#include "kernels/device/quad.h"

namespace ensyn::kernels {
namespace {

constexpr int kTileColumns = 64;  // a warp's
constexpr int kTileRows = 8;      // two for each of four warps
constexpr int kThreads = kTileColumns / 2 * (kTileRows / 2);
// Without a number of blocks to aim at, ptxas spills registers on some architectures for more of them.
constexpr int kBlocks = 4;

[[nodiscard]] __host__ __device__ constexpr int tiles_of(const Layer& layer) {
  return ((layer.rows + kTileRows - 1) / kTileRows) * ((layer.columns + kTileColumns - 1) / kTileColumns);
}

/// Updates the parameters at offset `at`, whose weight has the gradient `g` and was drawn from `noise`.
template <bool kRare, class T>
__device__ inline void update_weight(const Parameters<T>& parameters, std::int64_t at, T g, T noise,
                                     bool noisy, const NetworkConstants<T>& constants,
                                     const detail::AdamRates<T>& rates) {
  T mu_gradient = g, sigma_slope = noise, prior_slope = 0;
  if constexpr (kRare) {
    if (noisy && constants.law != NoiseLaw::gaussian) {
      const detail::Weight<T> w = draw_weight<kRare>(constants.law, constants.vesicles, parameters.mu[at],
                                                     detail::softplus(parameters.phi[at]).value, noise);
      mu_gradient = g * w.mu_slope;
      sigma_slope = w.sigma_slope;
    }
    if (constants.inverse_scale != 0) {
      const auto prior = detail::laplace_gradient(
          parameters.mu[at], detail::softplus(parameters.phi[at]).value, constants.inverse_scale);
      mu_gradient = mu_gradient + prior.mu;
      prior_slope = prior.sigma;
    }
  }
  update_mu(parameters, at, mu_gradient, constants, rates);
  update_phi<kRare>(parameters, at, g, sigma_slope, prior_slope, constants, rates);
}

/// kRare: a network may have a law that is not Gaussian, or a Laplace prior.
template <class T, bool kRare>
__global__ void __launch_bounds__(kThreads, kBlocks)
    parameter_update_kernel(const __grid_constant__ ParameterUpdate<T> args) {
  const int network = static_cast<int>(blockIdx.z);
  const NetworkConstants<T>& constants = constants_of(args.networks, network);
  if (constants.sharing != Sharing::none) return;
  int tile = static_cast<int>(blockIdx.x), l = 0;
  while (tile >= tiles_of(args.layers[l].gradient.layer)) tile -= tiles_of(args.layers[l++].gradient.layer);
  const LayerUpdate<T>& update = args.layers[l];
  const Layer& layer = update.gradient.layer;
  const int across = (layer.columns + kTileColumns - 1) / kTileColumns;
  const int row = tile / across * kTileRows + 2 * static_cast<int>(threadIdx.x / (kTileColumns / 2));
  const int column = tile % across * kTileColumns + 2 * static_cast<int>(threadIdx.x % (kTileColumns / 2));
  if (row >= layer.rows || column >= layer.columns) return;

  const NetworkProgress<T>& progress = progress_of(args.networks, network);
  const std::uint64_t step = args.draw.from_progress ? progress.step : args.draw.step;
  const Quad<T> g = gradient_of(update, network, progress.step, args.batch, row, column);
  const NoiseSource noise = noise_source(constants, step, layer.tensor, args.draw.purpose);
  Quad<T> drawn{};
  if (args.draw.noisy)
    drawn = quad_noise<kRare, T>(constants.law, quad_words(noise, row / 2, column / 2, layer.columns));
  const std::int64_t origin = network * update.parameters.network_stride;
  for_elements(layer, row, column, [&](int i, int j) {
    const std::int64_t at = origin + offset_of(layer, row + i, column + j);
    update_weight<kRare>(update.parameters, at, g.of[i][j], drawn.of[i][j], args.draw.noisy, constants,
                         progress.adam);
  });
}

}  // namespace

template <class T>
LaunchShape parameter_update_shape(const ParameterUpdate<T>& args) {
  int tiles = 0;
  for (int l = 0; l < args.layer_count; ++l) tiles += tiles_of(args.layers[l].gradient.layer);
  LaunchShape shape;
  shape.grid.x = static_cast<unsigned>(tiles);
  shape.grid.z = static_cast<unsigned>(args.networks.count);
  shape.block.x = kThreads;
  return shape;
}

template <class T>
void parameter_update(const ParameterUpdate<T>& args, cudaStream_t stream) {
  // A kernel of its own, so that the others do not pay for rare things in registers.
  const bool rare = args.networks.other_laws || args.networks.any_laplace;
  const auto kernel = rare ? parameter_update_kernel<T, true> : parameter_update_kernel<T, false>;
  launch("parameter_update", kernel, parameter_update_shape(args), stream, args);
}

template LaunchShape parameter_update_shape(const ParameterUpdate<float>&);
template LaunchShape parameter_update_shape(const ParameterUpdate<double>&);
template void parameter_update(const ParameterUpdate<float>&, cudaStream_t);
template void parameter_update(const ParameterUpdate<double>&, cudaStream_t);

}  // namespace ensyn::kernels
