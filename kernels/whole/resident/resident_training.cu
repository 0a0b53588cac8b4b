// Whole training steps, many in one launch, as streamed_training.cu, with each network on chip: a cluster of
// blocks keeps its tiles in shared memory from the first step to the last.
//
// A block owns a run of the network's tiles, a warp a part of that, a lane one quad of each; noise is held in
// registers from the forward pass to the update. What leaves a block are sums: each adds the products of its
// own tiles and stores its part where it is needed, in the shared memory of the blocks that own the next
// layer (outputs) or the rows below (gradients). A step of L layers has 2 L - 1 such exchanges, each ended by
// the cluster's barrier; between arriving there and going on, warps draw the noise of the next step, which
// depends on nothing.
//
//   first layer:   update of step t - 1, draw, product of t;  the later layers' are apart: they draw as soon
//                  as they are updated, which is while the first layer is busy.
//
// Where weights share a phi, y = mu x and z = xi x are summed apart, as there; the gradient in sigma of a row
// goes to all blocks, and each computes the same phi from it. Parts are added in order of the blocks, so that
// results do not depend on which cluster trains a network, nor when: clusters take networks from a queue.
// Determinism: gpu_to_gpu.

#include "kernels/whole/resident/resident_training.h"

#include <device/block_shared.h>
#include <device/launch.h>

#include "kernels/whole/resident/exchange.h"
#include "kernels/whole/resident/visits.h"

namespace ensyn::kernels {
namespace {

using namespace resident;  // NOLINT: all of it is of this kernel

#if ENSYN_CLUSTERS

/// Between the block's shared memory and the network's tiles.
template <int kFields, bool kLoad>
__device__ inline void move_state(const Block& block) {
  constexpr int kWords = kFields * kTileElements / 4;
  const ResidentBlock& own = block.own();
  auto* shared = block.at<float4>(own.state);
  auto* global = reinterpret_cast<float4*>(block.args.of.state + block.args.of.state_offsets[block.network]) +
                 static_cast<std::int64_t>(own.first_tile) * kWords;
  const int count = (own.end_tile - own.first_tile) * kWords;
  for (int i = block.thread; i < count; i += kThreads) {
    if constexpr (kLoad) {
      shared[i] = global[i];
    } else {
      global[i] = shared[i];
    }
  }
}

/// Everything 0 that is not state, and 1 where a bias has its input.
template <class Element>
__device__ inline void clear_shared(const Block& block) {
  auto* words = block.at<unsigned>(0);
  for (int i = block.thread; i < static_cast<int>(block.shape().shared_bytes / 4); i += kThreads)
    words[i] = 0;
  __syncthreads();
  stage_constants<Element>(block);
  for (int l = 1; l < block.layers(); ++l) {
    if (!block.owns(l)) continue;
    for (int b = block.thread; b < block.batch(); b += kThreads) {
      block.at(block.own().activations[l])[b * block.shape().activation_stride[l] +
                                           block.layer(l).layer.columns - 1] = 1;
    }
  }
}

/// An exchange: what was stored before is there for all after. Meanwhile some of the coming noise is drawn.
template <int kFields>
struct Exchange {
  const Block& block;
  const cg::cluster_group& cluster;
  Warp<kFields>& warp;
  std::uint64_t next_step;
  int quota;      // tiles whose noise is drawn in one exchange
  int drawn = 0;  // so far

  template <class Meanwhile>
  __device__ void operator()(const Meanwhile& meanwhile) {
    cluster.barrier_arrive();
    meanwhile();
    if (quota > 0) warp.draw(block, next_step, drawn, drawn + quota);
    drawn += quota;
    cluster.barrier_wait();
  }
  __device__ void operator()() {
    (*this)([] {});
  }
};

/// The outputs of layer l, from its owners to those of the next.
template <int kFields, bool kPixels, class Meanwhile>
__device__ inline void exchange_outputs(const Block& block, Exchange<kFields>& exchange, int l,
                                        const Meanwhile& meanwhile) {
  constexpr bool kShared = kFields == kSharedPhiFields;
  __syncthreads();
  send_outputs<kShared, kPixels>(block, exchange.cluster, l);
  exchange(meanwhile);
}

/// Loss and gradients of one step, whose first layer's outputs have been received.
template <int kFields>
__device__ inline void pass_behind(const Block& block, Exchange<kFields>& exchange, Warp<kFields>& warp,
                                   std::uint64_t step, bool more) {
  constexpr bool kShared = kFields == kSharedPhiFields;
  const ResidentShape& shape = block.shape();
  const int last = block.layers() - 1;
  receive_outputs<kShared>(block, 0);
  __syncthreads();
  for (int l = 1; l <= last; ++l) {
    if (block.owns(l)) forward_behind(block, warp, l);
    exchange_outputs<kFields, false>(block, exchange, l, [] {});
    receive_outputs<kShared>(block, l);
    __syncthreads();
  }
  if (block.owns(last)) {
    auto* correct = block.at<std::uint8_t>(shape.correct);
    loss_of(block.minibatch(step), block.at(block.own().deltas[last]), block.own().delta_stride[last],
            block.layer(last).layer.rows, block.at(shape.losses), correct, block.thread, kResidentWarps);
    __syncthreads();
    if (block.thread == 0 && block.rank == shape.last_owner[last])
      add_losses(block.progress(), step, block.at(shape.losses), correct, block.batch());
  }
  for (int l = last; l >= 1; --l) {
    send_deltas<kFields>(block, exchange.cluster, l);
    exchange([&] {
      if (l == 1) visit_behind(block, warp, true, more, step + 1);
    });
    receive_deltas(block, l - 1);
    __syncthreads();
  }
}

template <int kFields, class Element>
__device__ inline void train(const Block& block, const cg::cluster_group& cluster) {
  constexpr bool kShared = kFields == kSharedPhiFields, kPixels = sizeof(Element) == 1;
  const TiledTraining<float>& of = block.args.of;
  const ResidentShape& shape = block.shape();
  clear_shared<Element>(block);
  __syncthreads();
  move_state<kFields, true>(block);
  if (block.thread == 0) block.progress() = of.progress[block.network];
  prepare_keys(block.constants.seed, block.at<unsigned>(shape.keys), block.thread);
  float* global_phis = of.shared_phi + 3 * block.constants.first_phi;
  if constexpr (kShared) {
    for (int i = block.thread; i < 3 * block.constants.group_count; i += kThreads)
      block.at(shape.phis)[i] = global_phis[i];
  }
  __syncthreads();
  if constexpr (kShared)
    sigmas_of(of.tiling, block.constants, block.at(shape.phis), block.at(shape.sigmas), block.thread,
              kThreads);
  const std::uint64_t first = block.progress().step;
  stage<Element>(block, first, 0);
  Warp<kFields> warp(block);
  warp.draw(block, first, 0, Warp<kFields>::kTiles);
  visit_behind(block, warp, false, true, first);
  cluster.sync();
  // All noise is drawn by the last exchange but one: in the last, tiles behind the first layer need it.
  const int draws = block.layers() == 1 ? 1 : 2 * block.layers() - 2;
  const int quota = (Warp<kFields>::kTiles + draws - 1) / draws;
  for (std::uint64_t i = 0; i <= of.steps; ++i) {
    const bool update = i > 0, forward = i < of.steps, more = i + 1 < of.steps;
    const auto parity = static_cast<int>(i % 2);
    const std::uint64_t step = first + i;
    if (update) {
      sum_first_deltas(block);
      if constexpr (kShared) send_row_sums(block, cluster);
      __syncthreads();
    }
    visit_first<kFields, Element>(block, warp, update, forward, parity);
    if (!forward) break;
    Exchange<kFields> exchange{block, cluster, warp, step + 1, more ? quota : 0};
    exchange_outputs<kFields, kPixels>(block, exchange, 0, [&] {
      if (more) stage<Element>(block, step + 1, parity ^ 1);
      if constexpr (!kShared) {
        if (block.thread == kThreads - 1) block.progress().adam = rates_of(block.constants, step);
      }
    });
    if constexpr (kShared) {
      // By the rates of the step before.
      if (update) update_sigmas(block);
      __syncthreads();
      if (block.thread == kThreads - 1) block.progress().adam = rates_of(block.constants, step);
    }
    pass_behind(block, exchange, warp, step, more);
    // Without a layer behind it, nothing yet keeps the first one's next outputs from those that are read.
    if (block.layers() == 1) cluster.sync();
  }
  cluster.sync();
  if constexpr (kShared) {
    if (of.steps > 0) update_sigmas(block);
    __syncthreads();
    if (block.rank == 0) {
      for (int i = block.thread; i < 3 * block.constants.group_count; i += kThreads)
        global_phis[i] = block.at(shape.phis)[i];
    }
  }
  move_state<kFields, false>(block);
  if (block.thread == 0 && block.rank == shape.last_owner[block.layers() - 1]) {
    NetworkProgress<float>& progress = block.progress();
    progress.step = first + of.steps;
    progress.adam = rates_of(block.constants, progress.step);
    of.progress[block.network] = progress;
  }
}

#endif

/// kFields: of a tile. Networks are taken from the queue by whichever cluster is free.
template <int kFields, bool kPixels>
__global__ void __launch_bounds__(kThreads, 1)
    resident_training_kernel(const __grid_constant__ ResidentTraining args) {
#if ENSYN_CLUSTERS
  unsigned char* shared = block_shared_bytes(args.shape.shared_bytes);
  const cg::cluster_group cluster = cg::this_cluster();
  const auto rank = static_cast<int>(cluster.block_rank()), thread = static_cast<int>(threadIdx.x);
  auto* number = reinterpret_cast<int*>(shared + args.shape.network);
  cluster.sync();  // before a block has begun, nothing may be stored in its memory
  for (;;) {
    if (rank == 0 && thread == 0) {
      const auto taken = static_cast<int>(atomicAdd(args.queue, 1u));
      for (int c = 0; c < args.shape.cluster; ++c) *cluster.map_shared_rank(number, c) = taken;
    }
    cluster.sync();
    if (*number >= args.of.networks) break;
    const int network = args.of.members[*number];
    __syncthreads();
    const Block block{args,      args.of.constants[network], shared, network, rank, thread, thread / 32,
                      own_lane()};
    train<kFields, std::conditional_t<kPixels, std::uint8_t, float>>(block, cluster);
    cluster.sync();
  }
#endif
}

using Kernel = void (*)(ResidentTraining);
Kernel kernel_of(const ResidentTraining& args) {
  const bool pixels = args.of.inputs.bytes != nullptr;
  if (args.of.own_phi)
    return pixels ? resident_training_kernel<kOwnPhiFields, true>
                  : resident_training_kernel<kOwnPhiFields, false>;
  return pixels ? resident_training_kernel<kSharedPhiFields, true>
                : resident_training_kernel<kSharedPhiFields, false>;
}

}  // namespace

LaunchShape resident_training_shape(const ResidentTraining& args) {
  LaunchShape shape;
  shape.cluster.x = static_cast<unsigned>(args.shape.cluster);
  shape.grid.x = static_cast<unsigned>(args.clusters * args.shape.cluster);
  shape.block.x = kThreads;
  shape.shared_bytes = args.shape.shared_bytes;
  return shape;
}

int resident_clusters(const ResidentTraining& args) {
  return most_clusters("resident_training", kernel_of(args), resident_training_shape(args));
}

void resident_training(const ResidentTraining& args, cudaStream_t stream) {
  launch("resident_training", kernel_of(args), resident_training_shape(args), stream, args);
}

}  // namespace ensyn::kernels
