/// \file
/// Loss of the gaussian likelihood: plain loops, which give the same bits whatever the instruction set.
#pragma once

#include <cstdint>

#include "host/model/likelihood.h"

namespace ensyn::cpu {

/// Squared error of one batch; outputs f are replaced by (f - y) / eps^2, and their padding by 0.
template <class T>
struct SquaredErrorArgs {
  T* outputs = nullptr;  ///< batch x stride
  int stride = 0;        ///< multiple of kBlock
  int count = 0;         ///< outputs of an example
  int batch = 0;
  const T* targets = nullptr;  ///< batch x count
  GaussianConstants<T> constants;
  T* nll = nullptr;                 ///< per example, nats
  std::uint8_t* correct = nullptr;  ///< per example, set to 0: a target is not hit or missed
};

template <class T>
void squared_error(const SquaredErrorArgs<T>& args);

extern template void squared_error(const SquaredErrorArgs<float>&);
extern template void squared_error(const SquaredErrorArgs<double>&);

}  // namespace ensyn::cpu
