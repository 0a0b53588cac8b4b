/// \file
/// The curvature of the loss in a network's outputs, as a root: vectors v_k with sum_k v_k v_k^T = d2 NLL /
/// df2.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "ensyn/config.h"

namespace ensyn::cpu {

/// categorical: diag(p) - p p^T = sum over classes k of p_k (p - e_k) (p - e_k)^T.
/// gaussian: I / eps^2, v_k = e_k / eps.
template <class T>
class OutputCurvature {
 public:
  OutputCurvature(const Architecture& architecture, int batch)
      : batch_(static_cast<std::size_t>(batch)),
        outputs_(static_cast<std::size_t>(architecture.outputs())),
        gaussian_(architecture.likelihood == Likelihood::gaussian),
        inverse_sd_(static_cast<T>(1 / architecture.observation_sd)),
        probabilities_(gaussian_ ? 0 : batch_ * outputs_) {}

  /// Of a categorical likelihood, after its loss. \param residuals p - onehot(label), batch x stride.
  void take(const T* residuals, int stride, const std::vector<std::uint8_t>& labels) {
    for (std::size_t b = 0; b < batch_; ++b, residuals += stride) {
      T* p = probabilities_.data() + b * outputs_;
      std::copy_n(residuals, outputs_, p);
      p[labels[b]] += T(1);
    }
  }

  [[nodiscard]] int columns() const noexcept { return static_cast<int>(outputs_); }

  /// v_k of every example, batch x stride; what lies beyond the outputs stays as it is.
  void column(int k, T* out, int stride) const {
    const auto at = static_cast<std::size_t>(k);
    for (std::size_t b = 0; b < batch_; ++b, out += stride) {
      if (gaussian_) {
        std::fill_n(out, outputs_, T(0));
        out[at] = inverse_sd_;
        continue;
      }
      const T* p = probabilities_.data() + b * outputs_;
      const T root = std::sqrt(p[at]);
      for (std::size_t j = 0; j < outputs_; ++j) out[j] = root * p[j];
      out[at] = root * (p[at] - T(1));
    }
  }

 private:
  std::size_t batch_, outputs_;
  bool gaussian_;
  T inverse_sd_;                  ///< 1 / eps
  std::vector<T> probabilities_;  ///< batch x classes
};

}  // namespace ensyn::cpu
