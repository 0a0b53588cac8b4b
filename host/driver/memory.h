/// \file
/// How much memory there is.
#pragma once

#include <cstdint>
#include <optional>

namespace ensyn::driver {

/// Bytes that this process could still take before the machine, or the control group that it is in, runs out;
/// nothing where the system does not say.
[[nodiscard]] std::optional<std::uint64_t> available_memory();

}  // namespace ensyn::driver
