/// \file
/// What this build and this machine can do.
#pragma once

#include <string>
#include <vector>

#include "ensyn/export.h"

namespace ensyn {

/// How the library was built and what it found.
struct BuildInfo {
  std::string version;     ///< for example 0.1.0
  std::string compiler;    ///< for example GCC 12.2.0
  std::string build_type;  ///< for example Release
  bool cuda = false;       ///< whether the CUDA backend was built
};
[[nodiscard]] ENSYN_API BuildInfo build_info();

/// CPU instruction sets that this build has and this machine can run, best first; the last is `portable`.
[[nodiscard]] ENSYN_API std::vector<std::string> instruction_sets();

/// Processors that this process may use.
[[nodiscard]] ENSYN_API int available_processors() noexcept;

/// Name of the processor as the operating system gives it.
[[nodiscard]] ENSYN_API std::string processor_name();

/// One line per usable CUDA device; empty where there is none.
[[nodiscard]] ENSYN_API std::vector<std::string> cuda_devices();

/// Why no CUDA device can be used (no backend in this build, no driver, one that is too old, ...) and what to
/// do; empty when one can.
[[nodiscard]] ENSYN_API std::string cuda_problem();

}  // namespace ensyn
