#include "ensyn/device.h"

#include <algorithm>
#include <fstream>

#include "ensyn/version.h"
#include "host/cpu/kernels.h"
#include "host/cpu/team.h"
#include "host/cuda/cuda_engine.h"

namespace ensyn {
namespace {

std::string compiler_name() {
#if defined(__clang__)
  return "Clang " __clang_version__;
#elif defined(__GNUC__)
  return "GCC " __VERSION__;
#else
  return "unknown";
#endif
}

}  // namespace

BuildInfo build_info() {
  return {.version = ENSYN_VERSION,
          .compiler = compiler_name(),
          .build_type = ENSYN_BUILD_TYPE,
          .cuda = cuda::is_built()};
}

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const auto& set : cpu::usable_instruction_sets()) names.emplace_back(set.name);
  return names;
}

int available_processors() noexcept {
  return cpu::available_processors();
}

int thread_count(const ExecutionConfig& execution) noexcept {
  constexpr int kAnywhere = 8;
  const int processors = available_processors();
  return execution.threads > 0 ? std::min(execution.threads, std::max(processors, kAnywhere)) : processors;
}

std::string processor_name() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    if (line.rfind("model name", 0) == 0) {
      const auto colon = line.find(": ");
      if (colon != std::string::npos) return line.substr(colon + 2);
    }
  }
  return "unknown processor";
}

std::vector<std::string> cuda_devices() {
  return cuda::device_descriptions();
}

std::string cuda_problem() {
  return cuda::why_unusable();
}

}  // namespace ensyn
