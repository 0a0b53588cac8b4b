/// \file
/// The kernels as problems to measure; each function's name is that of the kernel. `l` is a layer.
#pragma once

#include "layers.h"
#include "measure.h"

namespace bench {

template <class T>
[[nodiscard]] Problem noisy_forward(const Setup& setup, ensyn::NoiseKind noise, int l);
template <class T>
[[nodiscard]] Problem noisy_backward(const Setup& setup, ensyn::NoiseKind noise, int l);
template <class T>
[[nodiscard]] Problem materialize_weights(const Setup& setup, int l);
template <class T>
[[nodiscard]] Problem materialize_noise(const Setup& setup, int l);
template <class T>
[[nodiscard]] Problem gather_inputs(const Setup& setup);
template <class T>
[[nodiscard]] Problem rectify(const Setup& setup, int l);

/// Of all layers that the setup times, in one launch, as in training.
template <class T>
[[nodiscard]] Problem parameter_update(const Setup& setup);
template <class T>
[[nodiscard]] Problem homogeneous_update(const Setup& setup);
template <class T>
[[nodiscard]] Problem gradient_statistics(const Setup& setup, int l);
template <class T>
[[nodiscard]] Problem initialize(const Setup& setup, int l);
/// Of all layers that the setup times, a launch for each, as at the end of an epoch.
template <class T>
[[nodiscard]] Problem not_finite(const Setup& setup, ensyn::NoiseKind noise);

template <class T>
[[nodiscard]] Problem cross_entropy(const Setup& setup);
template <class T>
[[nodiscard]] Problem squared_error(const Setup& setup);
/// Of an evaluation: 10,000 examples of the setup's classes.
template <class T>
[[nodiscard]] Problem log_softmax(const Setup& setup);
/// Of networks with homogeneous noise, which have the most to do.
template <class T>
[[nodiscard]] Problem finish_step(const Setup& setup);

/// All of the setup's layers, between rows and tiles.
template <class T>
[[nodiscard]] Problem to_tiles(const Setup& setup, ensyn::NoiseKind noise);
template <class T>
[[nodiscard]] Problem from_tiles(const Setup& setup, ensyn::NoiseKind noise);
/// Why the kernel does not take the setup on this device; empty where it does.
template <class T>
[[nodiscard]] std::string streamed_problem(const Setup& setup, ensyn::NoiseKind noise);
/// Whole steps, several in one launch.
template <class T>
[[nodiscard]] Problem streamed_training(const Setup& setup, ensyn::NoiseKind noise);
/// As these, in single precision.
[[nodiscard]] std::string resident_problem(const Setup& setup, ensyn::NoiseKind noise);
[[nodiscard]] Problem resident_training(const Setup& setup, ensyn::NoiseKind noise);

/// mu and sigma of all of the setup's layers in tiles.
template <class T>
[[nodiscard]] Problem evaluation_weights(const Setup& setup, ensyn::NoiseKind noise);
/// Why the kernel does not take the setup on this device; empty where it does.
template <class T>
[[nodiscard]] std::string evaluation_problem(const Setup& setup);
/// Predictions of all examples, with mean weights and one draw.
template <class T>
[[nodiscard]] Problem population_evaluation(const Setup& setup, ensyn::NoiseKind noise);

[[nodiscard]] bool has_curand();
/// As many normals from cuRAND's host API (Philox) as `materialize_noise` of that layer makes.
[[nodiscard]] Problem curand_normals(const Setup& setup, int l);

}  // namespace bench
