/// \file
/// The curvature of the loss in a network's outputs, as a root: vectors v_k with sum_k v_k v_k^T = d2 NLL /
/// df2.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ensyn::cpu {

/// Of softmax cross-entropy: diag(p) - p p^T = sum over classes k of p_k (p - e_k) (p - e_k)^T.
template <class T>
class OutputCurvature {
 public:
  OutputCurvature(int batch, int classes)
      : batch_(static_cast<std::size_t>(batch)),
        classes_(static_cast<std::size_t>(classes)),
        probabilities_(batch_ * classes_) {}

  /// \param residuals p - onehot(label), batch x stride.
  void take(const T* residuals, int stride, const std::vector<std::uint8_t>& labels) {
    for (std::size_t b = 0; b < batch_; ++b, residuals += stride) {
      T* p = probabilities_.data() + b * classes_;
      for (std::size_t k = 0; k < classes_; ++k) p[k] = residuals[k];
      p[labels[b]] += T(1);
    }
  }

  [[nodiscard]] int columns() const noexcept { return static_cast<int>(classes_); }

  /// v_k of every example, batch x stride; what lies beyond the classes stays as it is.
  void column(int k, T* out, int stride) const {
    const auto at = static_cast<std::size_t>(k);
    for (std::size_t b = 0; b < batch_; ++b, out += stride) {
      const T* p = probabilities_.data() + b * classes_;
      const T root = std::sqrt(p[at]);
      for (std::size_t j = 0; j < classes_; ++j) out[j] = root * p[j];
      out[at] = root * (p[at] - T(1));
    }
  }

 private:
  std::size_t batch_, classes_;
  std::vector<T> probabilities_;  ///< batch x classes
};

}  // namespace ensyn::cpu
