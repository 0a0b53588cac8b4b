/// \file
/// What the kernels' tests are made of: arrays in device memory that notice writes beside them, networks,
/// layers and inputs with known numbers in them. The same sources run under emulation (tests/simt) and on a
/// device.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "host/cuda/memory.h"
#include "kernels/base/network.h"
#include "oracle/oracle.h"

namespace ensyn::kernels::test {

using Numbers = ::testing::Types<float, double>;

/// The one stream of the program.
[[nodiscard]] const cuda::Stream& stream();

/// A number in [-1, 1) for each combination of arguments, always the same; a multiple of 2^-16, so that float
/// and double hold the same.
[[nodiscard]] double value(int what, int network, int row, int column);
/// As above, an integer in [-3, 3].
[[nodiscard]] double small_integer(int what, int network, int row, int column);

/// A number for each element of a stack of matrices.
using Fill = std::function<double(int network, int row, int column)>;
[[nodiscard]] Fill values_of(int what, double factor = 1, double shift = 0);
[[nodiscard]] Fill integers_of(int what);

/// Elements in device memory, 0xFF until something is written, between guards that `read` checks.
template <class E>
class DeviceArray {
 public:
  explicit DeviceArray(std::size_t size) : size_(size), memory_(size + 2 * kGuard, "a test's array") {
    cuda::check(cudaMemsetAsync(memory_.data(), 0xFF, memory_.bytes(), stream().get()), "cudaMemset");
  }
  explicit DeviceArray(const std::vector<E>& values) : DeviceArray(values.size()) { write(values); }

  [[nodiscard]] E* data() const { return memory_.data() + kGuard; }

  void write(const std::vector<E>& values) {
    ASSERT_EQ(values.size(), size_);
    cuda::copy_to_device(data(), std::span<const E>(values), stream().get());
    stream().wait();
  }

  [[nodiscard]] std::vector<E> read() const {
    std::vector<E> all(memory_.size());
    cuda::copy_from_device(std::span<E>(all), static_cast<const E*>(memory_.data()), stream().get());
    stream().wait();
    for (std::size_t i = 0; i < kGuard; ++i) {
      EXPECT_TRUE(is_poison(all[i])) << "written " << kGuard - i << " elements before the array";
      EXPECT_TRUE(is_poison(all[kGuard + size_ + i])) << "written " << i << " elements behind the array";
    }
    return {all.begin() + kGuard, all.end() - kGuard};
  }

  [[nodiscard]] static bool is_poison(const E& element) {
    unsigned char bytes[sizeof(E)], poison[sizeof(E)];
    std::memcpy(bytes, &element, sizeof(E));
    std::memset(poison, 0xFF, sizeof(E));
    return std::memcmp(bytes, poison, sizeof(E)) == 0;
  }

 private:
  static constexpr int kGuard = 64;
  std::size_t size_;
  cuda::DeviceBuffer<E> memory_;
};

/// One matrix for each of some networks, with poison behind every row and every matrix.
template <class E>
class Stack {
 public:
  Stack(int networks, int rows, int columns, int padding = 3)
      : networks_(networks),
        rows_(rows),
        columns_(columns),
        stride_(columns + padding),
        array_(static_cast<std::size_t>(networks * network_stride())) {}
  Stack(int networks, int rows, int columns, const Fill& fill) : Stack(networks, rows, columns) { set(fill); }

  /// Sets all elements; the poison beside them stays.
  void set(const Fill& fill) {
    std::vector<E> image = array_.read();
    visit([&](int n, int r, int c, std::size_t at) { image[at] = static_cast<E>(fill(n, r, c)); });
    array_.write(image);
  }

  /// All elements, network by network and row by row; checks that nothing beside them was written.
  [[nodiscard]] std::vector<double> read() const {
    const std::vector<E> image = array_.read();
    std::vector<bool> inside(image.size());
    std::vector<double> result;
    visit([&](int, int, int, std::size_t at) {
      inside[at] = true;
      result.push_back(static_cast<double>(image[at]));
    });
    for (std::size_t i = 0; i < image.size(); ++i) {
      EXPECT_TRUE(inside[i] || DeviceArray<E>::is_poison(image[i]))
          << "element " << i << " lies outside the matrices and was written";
    }
    return result;
  }
  /// Everything, for comparison bit for bit.
  [[nodiscard]] std::vector<std::uint8_t> bits() const {
    const std::vector<E> image = array_.read();
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(image.data());
    return {bytes, bytes + image.size() * sizeof(E)};
  }

  [[nodiscard]] E* data() const { return array_.data(); }
  [[nodiscard]] int stride() const { return stride_; }
  [[nodiscard]] std::int64_t network_stride() const { return std::int64_t{rows_} * stride_ + 5; }

 private:
  template <class Visit>
  void visit(const Visit& visit) const {
    for (int n = 0; n < networks_; ++n) {
      for (int r = 0; r < rows_; ++r) {
        for (int c = 0; c < columns_; ++c) {
          visit(n, r, c, static_cast<std::size_t>(n * network_stride() + std::int64_t{r} * stride_ + c));
        }
      }
    }
  }

  int networks_, rows_, columns_, stride_;
  DeviceArray<E> array_;
};

/// One network: how it is trained and where it is.
struct Member {
  oracle::Settings settings;
  std::uint64_t step = 0;
  double shared_phi = -2, shared_moment1 = 0.125, shared_moment2 = 0.25;
  int groups = 1;  ///< of weights that share a phi, where there are such

  [[nodiscard]] bool shares() const { return settings.scope != oracle::Scope::weight; }
  /// The phi of each group its own, so that a mistaken index shows.
  [[nodiscard]] double phi_of(int group) const { return shared_phi + group / 256.0; }
};

/// Groups of each member with Noise::per_neuron or per_layer; a test may have so many rows and layers,
/// counted from the groups at which LayerParameters begin.
inline constexpr int kMemberGroups = 300;

enum class Noise { heterogeneous, per_neuron, per_layer, homogeneous, mixed, scopes, laws };

/// Networks that differ in seed, stream, step and costs; with Noise::mixed the odd ones are homogeneous, with
/// Noise::scopes they are per neuron, per layer, homogeneous and heterogeneous in turn, and with Noise::laws
/// all are heterogeneous and of binomial, log-normal and gaussian law in turn.
[[nodiscard]] std::vector<Member> members(int count, Noise noise);

/// Costs of all kinds: each mechanism alone, two of them, and the variational objective with and without a
/// prior.
struct NamedCosts {
  const char* name;
  std::vector<oracle::Term> terms;
  bool variational = false;
  double prior_sigma = std::numeric_limits<double>::infinity();
  double laplace_scale = 0;
};
[[nodiscard]] std::vector<NamedCosts> all_costs();

/// What the kernels know of these networks, in device memory. Adam's rates come from the textbook's formula.
template <class T>
class Population {
 public:
  explicit Population(const std::vector<Member>& members);
  [[nodiscard]] Networks<T> view() const;
  /// The first network by value, without device memory.
  [[nodiscard]] Networks<T> first_by_value() const;

  DeviceArray<NetworkConstants<T>> constants;
  DeviceArray<NetworkProgress<T>> progress;
  DeviceArray<T> shared;

 private:
  int count_;
  bool other_laws_, first_other_law_;
  bool any_laplace_;
  NetworkConstants<T> first_constants_;
  NetworkProgress<T> first_progress_;
};

/// Parameters and moments of one layer of some networks.
template <class T>
struct LayerParameters {
  /// mu in [-1/2, 1/2), phi in [-3, -1), that is sigma from 0.05 to 0.3; moments as if after some steps.
  LayerParameters(int networks, int rows, int columns, int tensor);
  [[nodiscard]] Parameters<T> view() const;
  [[nodiscard]] Layer layer() const { return {rows, columns, mu.stride(), tensor, kLayerGroup, kRowGroup}; }
  /// The group of a row's weights in a network that shares phi.
  [[nodiscard]] static int group_of(const Member& member, int row) {
    switch (member.settings.scope) {
      case oracle::Scope::neuron:
        return kRowGroup + row;
      case oracle::Scope::layer:
        return kLayerGroup;
      default:
        return 0;
    }
  }
  static constexpr int kLayerGroup = 2, kRowGroup = 5;
  /// All six, bit for bit.
  [[nodiscard]] std::vector<std::uint8_t> bits() const;

  int rows, columns, tensor;
  Fill mu_value, mu_moment1_value, mu_moment2_value, phi_value, phi_moment1_value, phi_moment2_value;
  Stack<T> mu, mu_moment1, mu_moment2, phi, phi_moment1, phi_moment2;
};

enum class Source { values, bytes, floats };
enum class Order { none, shared, own };

/// Inputs of a layer: activations of each network, or a data set with an order for all networks or for each.
template <class T>
class TestInputs {
 public:
  TestInputs(Source source, Order order, int networks, int examples, int features, int batch);
  TestInputs(int networks, int examples, int features, const Fill& activations);
  [[nodiscard]] Inputs<T> view() const;
  /// Feature `k` of example `b` of the minibatch of `step`.
  [[nodiscard]] double at(int network, std::uint64_t step, int b, int k) const;
  /// Number of that example in the data set.
  [[nodiscard]] int example(int network, std::uint64_t step, int b) const;
  [[nodiscard]] bool has_bytes() const { return source_ == Source::bytes; }

 private:
  Source source_;
  Order order_;
  int networks_, examples_, batch_, features_;
  Fill fill_;
  Stack<T> values_;
  DeviceArray<std::uint8_t> bytes_;
  DeviceArray<float> floats_;
  std::vector<std::uint32_t> order_values_;
  DeviceArray<std::uint32_t> order_memory_;
};

}  // namespace ensyn::kernels::test
