/// \file
/// The gaussian likelihood's constants, the same for every backend.
#pragma once

#include <cmath>

#include "ensyn/config.h"

namespace ensyn {

/// NLL of one example = inverse_variance / 2 * |f - y|^2 + constant. T is float or double.
template <class T>
struct GaussianConstants {
  T inverse_variance = 0;  ///< 1 / eps^2
  T constant = 0;          ///< outputs * (ln eps + ln(2 pi) / 2), nats

  [[nodiscard]] static GaussianConstants of(const Architecture& architecture) {
    constexpr double kLogTwoPi = 1.8378770664093454836;
    const double sd = architecture.observation_sd;
    return {static_cast<T>(1.0 / (sd * sd)),
            static_cast<T>(architecture.outputs() * (std::log(sd) + 0.5 * kLogTwoPi))};
  }
};

}  // namespace ensyn
