/// \file
/// What this build and this machine can do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ensyn/config.h"
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

/// CPU threads that are started where `execution` asks for some: execution.threads, or one for each processor
/// where that is 0. No more than there are processors are of any use, and results do not depend on how many
/// there are, so that larger numbers become that of the processors; up to 8 are started in any case, to see
/// on a small machine what a larger one does.
[[nodiscard]] ENSYN_API int thread_count(const ExecutionConfig& execution) noexcept;

/// Bytes that this process could still take before the machine, or the control group that it is in, runs out;
/// nothing where the system does not say.
[[nodiscard]] ENSYN_API std::optional<std::uint64_t> available_memory();

/// Name of the processor as the operating system gives it.
[[nodiscard]] ENSYN_API std::string processor_name();

/// One line per usable CUDA device; empty where there is none.
[[nodiscard]] ENSYN_API std::vector<std::string> cuda_devices();

/// Why no CUDA device can be used (no backend in this build, no driver, one that is too old, ...) and what to
/// do; empty when one can.
[[nodiscard]] ENSYN_API std::string cuda_problem();

}  // namespace ensyn
