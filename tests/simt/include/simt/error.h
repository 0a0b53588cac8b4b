/// \file
/// What the emulator throws when it finds a mistake in a kernel or in its use.
#pragma once

#include <stdexcept>
#include <string>

#include "simt/where.h"

namespace simt {

/// A fault of the product found by the emulator: never one that a real device would report by itself.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// `file:line` of a call in a kernel.
[[nodiscard]] std::string to_string(const device::Where& where);

}  // namespace simt
