// What stands around products that cuBLAS computes: inputs gathered from the data set, with the 1 of the
// bias, and the ReLU in both directions. A thread for each element; bound by memory. Determinism: gpu_to_gpu.

#include "kernels/dense.h"

#include <device/launch.h>

#include "kernels/device/views.h"

namespace ensyn::kernels {
namespace {

constexpr int kThreads = 128;

template <class T>
__global__ void __launch_bounds__(kThreads)
    gather_inputs_kernel(const __grid_constant__ GatherInputs<T> args) {
  const int network = static_cast<int>(blockIdx.z), b = static_cast<int>(blockIdx.x);
  const int k = static_cast<int>(blockIdx.y * kThreads + threadIdx.x), bias = args.columns - 1;
  if (k > bias) return;
  const std::uint64_t step = args.inputs.order != nullptr ? progress_of(args.networks, network).step : 0;
  with_inputs(args.inputs, bias, network, step, args.batch, [&](const auto& reader_of) {
    args.output[network * args.output_network_stride + static_cast<std::int64_t>(b) * args.output_stride +
                k] = k == bias ? T(1) : reader_of(b)(k);
  });
}

template <class T>
__global__ void __launch_bounds__(kThreads) rectify_kernel(const __grid_constant__ Rectify<T> args) {
  const int network = static_cast<int>(blockIdx.z), b = static_cast<int>(blockIdx.x);
  const int k = static_cast<int>(blockIdx.y * kThreads + threadIdx.x);
  if (k >= args.columns) return;
  T& value = args.values[network * args.network_stride + static_cast<std::int64_t>(b) * args.stride + k];
  if (args.gate == nullptr) {
    value = detail::relu(value);
    return;
  }
  const T gate =
      args.gate[network * args.gate_network_stride + static_cast<std::int64_t>(b) * args.gate_stride + k];
  if (!detail::less(T(0), gate)) value = T(0);
}

LaunchShape elementwise_shape(int batch, int columns, int networks) {
  LaunchShape shape;
  shape.grid.x = static_cast<unsigned>(batch);
  shape.grid.y = static_cast<unsigned>(ceil_divide(columns, kThreads));
  shape.grid.z = static_cast<unsigned>(networks);
  shape.block.x = kThreads;
  return shape;
}

}  // namespace

template <class T>
LaunchShape gather_inputs_shape(const GatherInputs<T>& args) {
  return elementwise_shape(args.batch, args.columns, args.networks.count);
}

template <class T>
void gather_inputs(const GatherInputs<T>& args, cudaStream_t stream) {
  launch("gather_inputs", gather_inputs_kernel<T>, gather_inputs_shape(args), stream, args);
}

template <class T>
LaunchShape rectify_shape(const Rectify<T>& args) {
  return elementwise_shape(args.batch, args.columns, args.networks);
}

template <class T>
void rectify(const Rectify<T>& args, cudaStream_t stream) {
  launch("rectify", rectify_kernel<T>, rectify_shape(args), stream, args);
}

template LaunchShape gather_inputs_shape(const GatherInputs<float>&);
template LaunchShape gather_inputs_shape(const GatherInputs<double>&);
template void gather_inputs(const GatherInputs<float>&, cudaStream_t);
template void gather_inputs(const GatherInputs<double>&, cudaStream_t);
template LaunchShape rectify_shape(const Rectify<float>&);
template LaunchShape rectify_shape(const Rectify<double>&);
template void rectify(const Rectify<float>&, cudaStream_t);
template void rectify(const Rectify<double>&, cudaStream_t);

}  // namespace ensyn::kernels
