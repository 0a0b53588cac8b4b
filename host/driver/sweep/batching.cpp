#include "host/driver/sweep/batching.h"

#include <algorithm>
#include <array>

#include "ensyn/ensyn.h"
#include "host/driver/files/text.h"
#include "host/driver/sweep/chunk.h"

namespace ensyn::driver {
namespace {

bool uses_cuda(const ExecutionConfig& execution) {
  return execution.device == DeviceKind::cuda ||
         (execution.device == DeviceKind::automatic && cuda_problem().empty());
}

}  // namespace

Batching batching(const SweepSettings& settings, const ExecutionConfig& execution, const Grid& grid,
                  int local_size) {
  // More than this do not make a device faster, but the work that a kill loses larger.
  constexpr std::size_t kMostOnDevice = 256;
  const auto threads = static_cast<std::size_t>(thread_count(execution));
  const std::size_t good = uses_cuda(execution) ? kMostOnDevice : threads;
  const std::size_t wanted = std::min(
      grid.size(), settings.networks_at_once ? static_cast<std::size_t>(*settings.networks_at_once) : good);
  double bytes = 0;
  for (std::size_t i = 0; i < grid.size(); i += grid.size() / settings.hidden.size()) {
    bytes = std::max(bytes, network_bytes(grid.population(std::array{i})));
  }
  const auto memory = available_memory();
  if (!memory) return {wanted, ""};
  const double available = static_cast<double>(*memory) / local_size;
  const double fit = available / bytes;
  if (fit < 1) {
    throw OutOfMemoryError("one network needs about " + bytes_text(bytes) + ", but only " +
                           bytes_text(available) + " of memory are free: use narrower --hidden layers");
  }
  if (fit >= static_cast<double>(wanted)) return {wanted, ""};
  const auto at_once = static_cast<std::size_t>(fit);
  return {at_once, formatted("%zu networks at once need about %s, and %s of memory are free: %zu at once",
                             wanted, bytes_text(bytes * static_cast<double>(wanted)).c_str(),
                             bytes_text(available).c_str(), at_once)};
}

}  // namespace ensyn::driver
