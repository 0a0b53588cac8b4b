#include "layers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iomanip>
#include <numeric>
#include <span>
#include <sstream>
#include <utility>

#include "host/model/state.h"
#include "kernels/base/launch_shape.h"
#include "measure.h"

namespace bench {
namespace {

using ensyn::cuda::check;
using ensyn::cuda::copy_from_device;
using ensyn::cuda::copy_to_device;
using kernels::Layer;

std::size_t data_examples() {
  return is_emulation() ? 64 : 4096;
}

ensyn::Dataset make_data(const Setup& setup) {
  const auto features = static_cast<std::size_t>(setup.sizes.front());
  std::vector<std::uint8_t> pixels(data_examples() * features), labels(data_examples());
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = static_cast<std::uint8_t>(127.5 + pattern(i, 127.4));
  }
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::uint8_t>(i * 7 % 10);
  return ensyn::Dataset::from_bytes(std::move(pixels), std::move(labels), setup.sizes.front(), 10);
}

/// As the paper, but with a noise that shows in float.
ensyn::PopulationConfig make_config(const Setup& setup, ensyn::NoiseKind noise, double epsilon) {
  ensyn::PopulationConfig config = ensyn::paper_preset(2.0, 1.0, noise);
  config.architecture.sizes = setup.sizes;
  config.batch = setup.batch;
  config.members.front().sigma_init = 0.1;
  config.members.front().adam.epsilon = epsilon;
  const ensyn::NetworkConfig member = config.members.front();
  config.members.assign(static_cast<std::size_t>(setup.networks), member);
  return config;
}

template <class T>
double uniform(std::uint32_t word) {
  // In the precision of the network, as the noise contract has it.
  return static_cast<double>(
      std::fmin(T(1), std::fma(static_cast<T>(word), static_cast<T>(0x1p-32), static_cast<T>(0x1p-33))));
}

double softplus(double phi) {
  return std::log1p(std::exp(phi));
}

}  // namespace

const std::vector<Setup>& setups() {
  static const std::vector<Setup> all =
      is_emulation() ? std::vector<Setup>{{"small", {37, 19, 12, 10}, 5, 1, {0, 1, 2}},
                                          {"small_x3", {37, 19, 12, 10}, 5, 3, {0, 1, 2}}}
                     : std::vector<Setup>{{"paper", {784, 100, 100, 10}, 20, 1, {0, 1, 2}},
                                          {"paper_x240", {784, 100, 100, 10}, 20, 240, {0, 1, 2}},
                                          {"large", {1024, 1024, 1024}, 128, 1, {1}}};
  return all;
}

double pattern(std::size_t index, double scale) {
  return scale * (static_cast<double>(index * 2654435761u % 10007) / 5003.5 - 1.0);
}

void Comparison::add(const char* what, double got, double want, double size) {
  if (!result_.empty() || std::abs(got - want) <= unit_ * size) return;
  std::ostringstream text;
  text << std::setprecision(17) << what << " is wrong: got " << got << ", want " << want
       << std::setprecision(3) << ", off by " << (got - want) / size << " of its size";
  result_ = text.str();
}

template <class T>
Matrices<T>::Matrices(int count, int matrix_rows, int matrix_columns)
    : networks(count),
      rows(matrix_rows),
      columns(matrix_columns),
      stride(kernels::ceil_divide(columns, 4) * 4),
      network_stride(std::int64_t{rows} * stride),
      data(static_cast<std::size_t>(networks * network_stride), "matrices") {}

template <class T>
void Matrices<T>::set(const std::vector<T>& values) {
  copy_to_device<T>(data.data(), values, stream().get());
  stream().wait();
}

template <class T>
void Matrices<T>::poison() const {
  check(cudaMemsetAsync(data.data(), 0xFF, data.bytes(), stream().get()), "cudaMemset");
}

template <class T>
std::vector<T> Matrices<T>::read() const {
  std::vector<T> values(data.size());
  copy_from_device<T>(values, data.data(), stream().get());
  stream().wait();
  return values;
}

template <class T>
std::string Matrices<T>::unwritten(const Matrices& of, const std::vector<T>& values) {
  for (int m = 0; m < of.networks; ++m) {
    for (int row = 0; row < of.rows; ++row) {
      const T* from = values.data() + m * of.network_stride + std::int64_t{row} * of.stride;
      if (std::none_of(from, from + of.columns, [](T value) { return std::isnan(value); })) continue;
      return "row " + std::to_string(row) + " of network " + std::to_string(m) +
             " holds NaN or was not written";
    }
  }
  return {};
}

template <class T>
Layers<T>::Layers(const Setup& of, ensyn::NoiseKind noise, double epsilon)
    : setup(of),
      config(make_config(of, noise, epsilon)),
      data(make_data(of)),
      device_data(data, stream().get()),
      networks(config, fraction(), stream().get()),
      order_values(data.size()),
      order(data.size(), "the order") {
  for (std::size_t i = 0; i < order_values.size(); ++i) {
    order_values[i] = static_cast<std::uint32_t>(i * 37 % order_values.size());
  }
  copy_to_device<std::uint32_t>(order.data(), order_values, stream().get());
  for (int l = 0; l < static_cast<int>(networks.layers().size()); ++l) {
    Matrices<T>& activation = activations.emplace_back(setup.networks, setup.batch, layer(l).columns);
    Matrices<T>& delta = deltas.emplace_back(setup.networks, setup.batch, layer(l).rows);
    std::vector<T> values(activation.data.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<T>(std::max(0.0, pattern(i + 13, 1.0)));
    }
    activation.set(values);
    values.resize(delta.data.size());
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(pattern(i + 29, 0.1));
    delta.set(values);
  }
  networks.set_step(kStep, stream().get());
  first_parameters_ = ensyn::cuda::DeviceBuffer<T>(all_parameters().size(), "parameters");
  // One phi and its moments for each homogeneous network; heterogeneous ones share none.
  const int shared = noise == ensyn::NoiseKind::homogeneous ? 3 * setup.networks : 0;
  first_shared_ = ensyn::cuda::DeviceBuffer<T>(static_cast<std::size_t>(shared), "shared phi");
  const auto keep = [](T* to, const T* from, std::size_t count) {
    check(cudaMemcpyAsync(to, from, count * sizeof(T), cudaMemcpyDeviceToDevice, stream().get()), "copy");
  };
  keep(first_parameters_.data(), all_parameters().data(), first_parameters_.size());
  keep(first_shared_.data(), networks.shared_phi(), first_shared_.size());
  for (const int m : compared()) before_.push_back(networks.read(m, stream()));
}

template <class T>
double Layers<T>::fraction() const {
  return setup.batch / kTrainingExamples;
}

template <class T>
kernels::Inputs<T> Layers<T>::inputs(int l) const {
  kernels::Inputs<T> result;
  if (l == 0) {
    result = device_data.inputs<T>();
    result.order = order.data();
    result.steps_per_epoch = data.size() / static_cast<std::size_t>(setup.batch);
  } else {
    const Matrices<T>& from = activations[static_cast<std::size_t>(l)];
    result.values = from.data.data();
    result.stride = from.stride;
    result.network_stride = from.network_stride;
  }
  return result;
}

template <class T>
kernels::LayerGradient<T> Layers<T>::gradient(int l) const {
  const Matrices<T>& from = deltas[static_cast<std::size_t>(l)];
  return {layer(l), inputs(l), from.data.data(), from.stride, from.network_stride};
}

template <class T>
double Layers<T>::input_bytes(int l) const {
  const double elements = double{1} * setup.batch * (layer(l).columns - 1);
  return l == 0 ? elements : elements * setup.networks * static_cast<double>(sizeof(T));
}

template <class T>
double Layers<T>::delta_bytes(int l) const {
  return double{1} * setup.batch * layer(l).rows * setup.networks * static_cast<double>(sizeof(T));
}

template <class T>
std::span<T> Layers<T>::all_parameters() const {
  // One array for each field, network after network, and field after field.
  const kernels::Parameters<T> first = networks.parameters(0);
  const std::int64_t fields = networks.any_heterogeneous() ? 6 : 3;
  return {first.mu, static_cast<std::size_t>(fields * setup.networks * first.network_stride)};
}

template <class T>
void Layers<T>::restore() {
  const auto back = [](T* to, const ensyn::cuda::DeviceBuffer<T>& from) {
    check(cudaMemcpyAsync(to, from.data(), from.bytes(), cudaMemcpyDeviceToDevice, stream().get()), "copy");
  };
  back(all_parameters().data(), first_parameters_);
  back(networks.shared_phi(), first_shared_);
  networks.clear_epoch_sums(stream().get());  // uploads the mirror, and with it the step
}

template <class T>
void Layers<T>::poison_parameters() const {
  const std::span<T> all = all_parameters();
  check(cudaMemsetAsync(all.data(), 0xFF, all.size_bytes(), stream().get()), "cudaMemset");
}

template <class T>
std::vector<int> Layers<T>::compared() const {
  std::vector<int> members{0};
  for (const int member : {setup.networks / 2, setup.networks - 1}) {
    if (member != members.back()) members.push_back(member);
  }
  return members;
}

template <class T>
const ensyn::NetworkState& Layers<T>::before(int member) const {
  const std::vector<int> members = compared();
  const auto found = std::find(members.begin(), members.end(), member) - members.begin();
  return before_.at(static_cast<std::size_t>(found));
}

template <class T>
std::vector<double> Layers<T>::normals(int m, int l) const {
  const Layer& of = layer(l);
  const ensyn::NoiseKey key{config.members.front().seed, static_cast<std::uint32_t>(m), kStep,
                            static_cast<std::uint32_t>(l), ensyn::Purpose::training};
  std::vector<double> xi(at(of.rows, 0, of.columns));
  const int across = (of.columns + 1) / 2;
  for (int a = 0; a < (of.rows + 1) / 2; ++a) {
    for (int b = 0; b < across; ++b) {
      const auto words = ensyn::noise_words(key, at(a, b, across));
      for (int i = 0; i < 2; ++i) {
        const auto half = static_cast<std::size_t>(2 * i);
        const double radius = std::sqrt(-2.0 * std::log(uniform<T>(words[half])));
        const double angle = M_PI * static_cast<std::int32_t>(words[half + 1]) * 0x1p-31;
        const int row = 2 * a + i;
        if (row >= of.rows) continue;
        xi[at(row, 2 * b, of.columns)] = radius * std::sin(angle);
        if (2 * b + 1 < of.columns) xi[at(row, 2 * b + 1, of.columns)] = radius * std::cos(angle);
      }
    }
  }
  return xi;
}

template <class T>
std::vector<double> Layers<T>::weights(int m, int l) const {
  const ensyn::NetworkState& state = before(m);
  const ensyn::LayerState& from = state.layers[static_cast<std::size_t>(l)];
  std::vector<double> w = normals(m, l);
  for (std::size_t i = 0; i < w.size(); ++i) {
    w[i] = from.mu[i] + softplus(from.phi.empty() ? state.shared_phi.value[0] : from.phi[i]) * w[i];
  }
  return w;
}

template <class T>
std::vector<double> Layers<T>::x(int m, int l) const {
  const int columns = layer(l).columns;
  std::vector<double> result(at(setup.batch, 0, columns));
  const std::uint64_t steps = data.size() / static_cast<std::size_t>(setup.batch);
  const std::vector<T> values = l == 0 ? std::vector<T>() : activations[static_cast<std::size_t>(l)].read();
  const Matrices<T>& from = activations[static_cast<std::size_t>(l)];
  const ensyn::Normalization& scale = data.normalization();
  for (int b = 0; b < setup.batch; ++b) {
    const std::size_t example =
        order_values[kStep % steps * static_cast<std::size_t>(setup.batch) + static_cast<std::size_t>(b)];
    for (int k = 0; k + 1 < columns; ++k) {
      result[at(b, k, columns)] =
          l > 0
              ? static_cast<double>(
                    values[static_cast<std::size_t>(m * from.network_stride) + at(b, k, from.stride)])
              : (data.bytes()[example * static_cast<std::size_t>(columns - 1) + static_cast<std::size_t>(k)] /
                     scale.maximum -
                 scale.mean) /
                    scale.sd;
    }
    result[at(b, columns - 1, columns)] = 1;
  }
  return result;
}

template <class T>
std::vector<double> Layers<T>::delta(int m, int l) const {
  const Matrices<T>& from = deltas[static_cast<std::size_t>(l)];
  const std::vector<T> values = from.read();
  std::vector<double> result;
  for (int b = 0; b < setup.batch; ++b) {
    for (int r = 0; r < from.columns; ++r) {
      result.push_back(static_cast<double>(
          values[static_cast<std::size_t>(m * from.network_stride) + at(b, r, from.stride)]));
    }
  }
  return result;
}

template <class T>
std::vector<Sum> Layers<T>::weight_gradient(int m, int l) const {
  const Layer& of = layer(l);
  const std::vector<double> inputs_of = x(m, l), delta_of = delta(m, l);
  std::vector<Sum> g(at(of.rows, 0, of.columns));
  for (int b = 0; b < setup.batch; ++b) {
    for (int r = 0; r < of.rows; ++r) {
      for (int k = 0; k < of.columns; ++k) {
        g[at(r, k, of.columns)].add(delta_of[at(b, r, of.rows)] * inputs_of[at(b, k, of.columns)]);
      }
    }
  }
  return g;
}

template struct Matrices<float>;
template struct Matrices<double>;
template class Layers<float>;
template class Layers<double>;

}  // namespace bench
