/// \file
/// Networks in device memory whose kernels are timed, with inputs and gradients for every layer, and what a
/// plain computation in double makes of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ensyn/config.h"
#include "ensyn/dataset.h"
#include "ensyn/noise.h"
#include "host/cuda/data.h"
#include "host/cuda/memory.h"
#include "host/cuda/networks.h"
#include "kernels/base/network.h"

namespace bench {

namespace kernels = ensyn::kernels;

/// Networks of one size.
struct Setup {
  std::string name;
  std::vector<int> sizes;
  int batch, networks;
  std::vector<int> layers;  ///< that are timed
};

/// The paper's network alone and in a population, and one large layer; something small under emulation.
[[nodiscard]] const std::vector<Setup>& setups();

/// A number in [-scale, scale) for each index, always the same.
[[nodiscard]] double pattern(std::size_t index, double scale);

[[nodiscard]] constexpr std::size_t at(int row, int column, int stride) {
  return static_cast<std::size_t>(row) * static_cast<std::size_t>(stride) + static_cast<std::size_t>(column);
}

/// A sum, and the sum of the magnitudes of its terms, by which its roundings are measured.
struct Sum {
  double value = 0, size = 0;
  void add(double term) { value += term, size += term < 0 ? -term : term; }
};

/// Compares results with a reference; NaN is never right.
class Comparison {
 public:
  /// \param unit by what the roundings of one operation may move a number of size 1
  explicit Comparison(double unit) : unit_(unit) {}
  void add(const char* what, double got, double want, double size);
  /// For numbers that are known exactly.
  void add_equal(const char* what, double got, double want) { add(what, got, want, 0); }
  [[nodiscard]] const std::string& result() const { return result_; }

 private:
  double unit_;
  std::string result_;
};

/// What roundings, and the shared arithmetic's polynomials, may do to numbers of size 1, as in kernel_bench.
template <class T>
inline constexpr double kTolerance = sizeof(T) == 4 ? 2e-5 : 1e-11;

/// A stack of matrices in device memory, networks x rows x stride.
template <class T>
struct Matrices {
  Matrices() = default;
  Matrices(int count, int matrix_rows, int matrix_columns);
  void set(const std::vector<T>& values);
  /// Every element NaN, so that what a kernel leaves out shows.
  void poison() const;
  [[nodiscard]] std::vector<T> read() const;
  /// Names the first element that is NaN; empty where there is none.
  [[nodiscard]] static std::string unwritten(const Matrices& of, const std::vector<T>& values);

  int networks = 0, rows = 0, columns = 0, stride = 0;
  std::int64_t network_stride = 0;
  ensyn::cuda::DeviceBuffer<T> data;
};

template <class T>
class Layers {
 public:
  /// \param epsilon Adam's: 1 keeps roundings of a gradient from being blown up
  Layers(const Setup& setup, ensyn::NoiseKind noise, double epsilon = ensyn::AdamConfig{}.epsilon);

  [[nodiscard]] const kernels::Layer& layer(int l) const {
    return networks.layers()[static_cast<std::size_t>(l)];
  }
  [[nodiscard]] double parameters(int l) const { return double{1} * layer(l).rows * layer(l).columns; }
  /// Of the first layer a data set in an order, of the others activations.
  [[nodiscard]] kernels::Inputs<T> inputs(int l) const;
  [[nodiscard]] kernels::LayerGradient<T> gradient(int l) const;
  /// Bytes of the inputs and gradients that `gradient(l)` reads.
  [[nodiscard]] double input_bytes(int l) const;
  [[nodiscard]] double delta_bytes(int l) const;

  /// Queues a copy that makes parameters and moments what they were at first, and the step too.
  void restore();

  /// Queues what makes every parameter and moment NaN but a phi that is shared.
  void poison_parameters() const;

  /// Members whose results are compared, all numbers of them: the first, the last and one between.
  [[nodiscard]] std::vector<int> compared() const;
  /// The parameters as they were at first, of a member that is compared.
  [[nodiscard]] const ensyn::NetworkState& before(int member) const;

  // By plain computation, of member `m` and layer `l`, row-major with the layer's columns:
  [[nodiscard]] std::vector<double> normals(int m, int l) const;
  [[nodiscard]] std::vector<double> weights(int m, int l) const;
  [[nodiscard]] std::vector<double> x(int m, int l) const;      ///< batch x columns, the last 1
  [[nodiscard]] std::vector<double> delta(int m, int l) const;  ///< batch x rows
  [[nodiscard]] std::vector<Sum> weight_gradient(int m, int l) const;

  static constexpr std::uint64_t kStep = 5;
  static constexpr double kTrainingExamples = 60000;  ///< N, of which B/N comes; the data set is smaller

  Setup setup;
  ensyn::PopulationConfig config;
  ensyn::Dataset data;
  ensyn::cuda::DeviceData device_data;
  ensyn::cuda::DeviceNetworks<T> networks;
  std::vector<std::uint32_t> order_values;
  ensyn::cuda::DeviceBuffer<std::uint32_t> order;
  std::vector<Matrices<T>> activations, deltas;  ///< of each layer: its inputs, its outputs' gradients

 private:
  [[nodiscard]] std::span<T> all_parameters() const;
  [[nodiscard]] double fraction() const;

  ensyn::cuda::DeviceBuffer<T> first_parameters_, first_shared_;
  std::vector<ensyn::NetworkState> before_;
};

extern template struct Matrices<float>;
extern template struct Matrices<double>;
extern template class Layers<float>;
extern template class Layers<double>;

}  // namespace bench
