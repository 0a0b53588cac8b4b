/// \file
/// One network of the CPU backend: its state in the layout of layout.h and the constants of its steps.
#pragma once

#include <cstdint>
#include <vector>

#include "ensyn/config.h"
#include "ensyn/detail/step.h"
#include "host/cpu/kernels.h"
#include "host/cpu/layout.h"
#include "host/model/phi_groups.h"
#include "host/model/state.h"
#include "host/model/step_constants.h"

namespace ensyn::cpu {

[[nodiscard]] std::vector<LayerShape> layer_shapes(const Architecture& architecture);

template <class T>
class Member {
 public:
  /// \param fraction B/N, by which costs are scaled.
  Member(const Architecture& architecture, const NetworkConfig& config, std::uint32_t stream,
         double fraction);

  void import_state(const NetworkState& state);
  [[nodiscard]] NetworkState export_state() const;
  /// Whether all parameters, moments and sums are finite numbers. Padding does not count.
  [[nodiscard]] bool is_finite() const noexcept;

  /// Whether weights share their phi, and in which groups.
  [[nodiscard]] bool shares_phi() const noexcept { return config_.noise != NoiseKind::heterogeneous; }
  [[nodiscard]] const PhiGroups& groups() const noexcept { return groups_; }
  [[nodiscard]] const std::vector<LayerShape>& shapes() const noexcept { return shapes_; }
  [[nodiscard]] std::uint32_t stream() const noexcept { return stream_; }
  [[nodiscard]] std::uint64_t seed() const noexcept { return config_.seed; }

  /// Row group `group` of layer `layer`.
  [[nodiscard]] RowGroup<T> row_group(int layer, int group) noexcept;

  /// Adam's constants of the step with zero-based number `step`, and the costs.
  [[nodiscard]] UpdateRates<T> update_rates(std::uint64_t step) const;
  [[nodiscard]] CostRates<T> cost_rates() const noexcept;
  /// How weights are drawn from `noise`.
  [[nodiscard]] SampleOutput<T> sample(const NoiseStream& noise, T* weights) const noexcept {
    return {&noise, weights, config_.law, config_.vesicles};
  }
  [[nodiscard]] std::vector<NoiseStream> noise(std::uint64_t step, Purpose purpose) const;

  /// A phi that the weights of one group share.
  using Shared = detail::SharedPhiValues<T>;
  [[nodiscard]] T shared_sigma(const Shared& shared) const;
  /// `noise_gradient` is the sum over all parameters of `group` of dL/dw * xi.
  void update_shared(Shared& shared, std::size_t group, double noise_gradient,
                     const UpdateRates<T>& rates) const;

  /// mu and sigma of a layer as padded rows x stride arrays.
  void copy_weights(int layer, T* mu, T* sigma) const;

  std::vector<Shared> shared;  ///< of each group
  EpochSums sums;

 private:
  [[nodiscard]] int fields() const noexcept { return shares_phi() ? kSharedFields : kHeterogeneousFields; }
  template <class Visit>
  void for_elements(int layer, const Visit& visit) const;

  NetworkConfig config_;
  std::uint32_t stream_;
  PhiGroups groups_;
  std::vector<LayerShape> shapes_;
  std::vector<Array<T>> layers_;
  std::vector<Array<T>> mu_slopes_;  ///< of each layer, padded rows x stride; none where dw/dmu is 1
  StepConstants<T> constants_;
};

extern template class Member<float>;
extern template class Member<double>;

}  // namespace ensyn::cpu
