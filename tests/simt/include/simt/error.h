/// \file
/// What the emulator throws when it finds a mistake in a kernel or in its use.
#pragma once

#include <source_location>
#include <stdexcept>
#include <string>

namespace simt {

/// A fault of the product found by the emulator: never one that a real device would report by itself.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// `file:line` of a call in a kernel.
[[nodiscard]] std::string to_string(const std::source_location& where);

}  // namespace simt
