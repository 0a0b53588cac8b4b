/// \file
/// The CPU kernels: one table of functions per instruction set and element type. All tables give the same
/// bits: every element is computed by the same operations, and sums run in an order that does not depend on
/// the vector's width (16 partial sums, then i + (i+8), i + (i+4), i + (i+2), i + (i+1)).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ensyn/detail/rates.h"
#include "ensyn/noise.h"
#include "ensyn/noise_law.h"
#include "host/cpu/layout.h"

namespace ensyn::cpu {

using detail::AdamRates;
using detail::CostTermGradient;

/// A NoiseKey prepared for use: round keys, the counter's upper half, and q of quad 0.
struct NoiseStream {
  std::array<std::uint64_t, 20> round_keys{};
  std::uint64_t step_and_stream = 0;  ///< s of the contract
  std::uint64_t first_quad = 0;       ///< q of quad 0 of the tensor
  [[nodiscard]] static NoiseStream from(const NoiseKey& key) noexcept;
};

/// Everything the update needs besides gradients; costs are scaled by B/N.
template <class T>
struct UpdateRates {
  AdamRates<T> adam;
  T magnitude = 0;         ///< lambda B/N
  T inverse_variance = 0;  ///< of the prior, times B/N
  T inverse_scale = 0;     ///< of the Laplace prior, times B/N; 0 for another
};

/// What an update of rows that share their phi is told and tells besides.
template <class T>
struct SharedUpdate {
  const T* sigma = nullptr;  ///< of each of the kRowGroup rows
  int rows = 0;              ///< of the group, that are not padding
  bool by_row = false;       ///< each row has its own sum
  /// Sum over the group's elements, or over each row, of the gradient in sigma: dL/dw * noise, and that of
  /// the Laplace prior.
  T* sums = nullptr;
};

template <class T>
struct CostRates {
  const CostTermGradient<T>* terms = nullptr;
  int count = 0;
  T inverse_variance = 0;  ///< of the prior, times B/N
};

/// Gradient of four rows: sum over the batch of delta[b][row] * input[b][column].
template <class T>
struct UpdateInput {
  const T* input = nullptr;  ///< batch x input_stride
  int input_stride = 0;
  const T* delta = nullptr;  ///< batch x delta_stride, at the group's first row
  int delta_stride = 0;
  int batch = 0;
};

/// A group of kRowGroup rows of one layer.
template <class T>
struct RowGroup {
  T* state = nullptr;  ///< first block of the first row
  int blocks = 0;      ///< per row
  int first_row = 0;   ///< multiple of kRowGroup
  int columns = 0;     ///< inputs + 1, which fixes the numbering of quads
  /// dw/dmu, kRowGroup rows of blocks * 16, of laws in which it is not 1; else null. Left by the draw of the
  /// weights for the update.
  T* mu_slope = nullptr;
};

/// What to draw and where the weights go.
template <class T>
struct SampleOutput {
  const NoiseStream* noise = nullptr;
  T* weights = nullptr;  ///< kRowGroup rows of blocks * 16
  NoiseLaw law = NoiseLaw::gaussian;
  int vesicles = 0;  ///< of the binomial law
};

/// A product of a block of weights with activations: output[b][r] = sum_k weights[r][k] input[b][k], 0 <= r <
/// rows.
template <class T>
struct ForwardArgs {
  const T* weights = nullptr;  ///< padded rows x stride
  int rows = 0;                ///< valid rows; a multiple of kRowGroup is readable
  int stride = 0;              ///< of weights and input, multiple of kBlock
  const T* input = nullptr;    ///< batch x stride
  int batch = 0;
  T* output = nullptr;  ///< batch x output_stride
  int output_stride = 0;
  bool rectify = false;  ///< ReLU
};

/// delta_in[b][i] = (activation[b][i] > 0) * sum_r delta[b][r] weights[r][i] for i < stride; element `bias`
/// is set to 0.
template <class T>
struct BackwardArgs {
  const T* weights = nullptr;  ///< rows x stride
  int rows = 0;
  int stride = 0;
  int bias = 0;              ///< index of the bias column
  const T* delta = nullptr;  ///< batch x delta_stride
  int delta_stride = 0;
  const T* activation = nullptr;  ///< batch x stride
  int batch = 0;
  T* output = nullptr;  ///< batch x output_stride
  int output_stride = 0;
};

/// Softmax cross-entropy of one batch; logits are replaced by p - onehot(label).
template <class T>
struct LossArgs {
  T* logits = nullptr;  ///< batch x stride
  int stride = 0;       ///< multiple of kBlock
  int classes = 0;
  int batch = 0;
  const std::uint8_t* labels = nullptr;  ///< per example
  T* nll = nullptr;                      ///< per example, nats
  std::uint8_t* correct =
      nullptr;  ///< per example, 1 when the most probable class (lowest index of equals) is right
};

/// With g = the gradient in mu of four rows, costs on mu included: squared += g^2, absolute += |g|. Arrays
/// are kRowGroup rows of blocks * 16.
template <class T>
struct GradientPowers {
  UpdateInput<T> gradient;
  int blocks = 0;
  const T* mu = nullptr;
  T magnitude = 0;         ///< lambda B/N
  T inverse_variance = 0;  ///< of the prior, times B/N
  T* squared = nullptr;
  T* absolute = nullptr;
};

template <class T>
struct KernelTable {
  /// Adam on a row group of a heterogeneous layer from `update`, when given; then, when `sample` is given,
  /// new weights.
  void (*advance_heterogeneous)(const RowGroup<T>&, const UpdateInput<T>* update, const UpdateRates<T>&,
                                const CostRates<T>&, const SampleOutput<T>* sample);
  /// Adam on mu of a row group whose weights share their phi.
  void (*update_shared)(const RowGroup<T>&, const UpdateInput<T>&, const UpdateRates<T>&,
                        const SharedUpdate<T>&);
  /// New weights of such a row group; `sigma` is that of each of its rows.
  void (*sample_shared)(const RowGroup<T>&, const T* sigma, const SampleOutput<T>&);
  /// Weights of a row group given as rows x stride arrays; `state` of the group is
  /// ignored.
  void (*sample_plain)(const RowGroup<T>&, const T* mu, const T* sigma, const SampleOutput<T>&);
  void (*add_gradient_powers)(const GradientPowers<T>&);
  /// sums[row][column] += sum over b of delta[b][row] * input[b][column]; sums is kRowGroup rows of blocks *
  /// 16.
  void (*add_products)(const UpdateInput<T>&, int blocks, T* sums);
  void (*forward)(const ForwardArgs<T>&);
  void (*backward)(const BackwardArgs<T>&);
  void (*loss)(const LossArgs<T>&);
  /// In place: logits to log probabilities.
  void (*log_softmax)(T* logits, int stride, int classes, int batch);
  /// to[i] = from[i] * scale + shift, i < count.
  void (*normalize)(const std::uint8_t* from, T scale, T shift, int count, T* to);
};

/// The tables of each instruction set in precision T, float or double; null where this build does not have
/// it. That a table is there does not mean that this machine can run it.
template <class T>
[[nodiscard]] const KernelTable<T>* avx512_table();
template <class T>
[[nodiscard]] const KernelTable<T>* avx2_table();
template <class T>
[[nodiscard]] const KernelTable<T>* neon_table();
template <class T>
[[nodiscard]] const KernelTable<T>* portable_table();
// sets/*.cpp define them.
template <>
const KernelTable<float>* avx512_table<float>();
template <>
const KernelTable<double>* avx512_table<double>();
template <>
const KernelTable<float>* avx2_table<float>();
template <>
const KernelTable<double>* avx2_table<double>();
template <>
const KernelTable<float>* neon_table<float>();
template <>
const KernelTable<double>* neon_table<double>();
template <>
const KernelTable<float>* portable_table<float>();
template <>
const KernelTable<double>* portable_table<double>();

/// Both precisions of one instruction set.
struct InstructionSet {
  std::string_view name;
  const KernelTable<float>* single_precision;
  const KernelTable<double>* double_precision;
};

/// Those that this machine can run, best first.
[[nodiscard]] std::span<const InstructionSet> usable_instruction_sets();

/// By name, or the best for `auto`. \throws DeviceError that lists the usable ones.
[[nodiscard]] const InstructionSet& find_instruction_set(const std::string& name);

template <class T>
[[nodiscard]] const KernelTable<T>& table_of(const InstructionSet& set) {
  if constexpr (sizeof(T) == 4) {
    return *set.single_precision;
  } else {
    return *set.double_precision;
  }
}

}  // namespace ensyn::cpu
