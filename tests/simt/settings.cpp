// Settings from the environment, counters, reset.

#include "simt/settings.h"

#include <cstdlib>
#include <string>
#include <utility>

#include "device_memory.h"
#include "race_hooks.h"
#include "runtime.h"

namespace simt {
namespace {

Settings from_environment() {
  Settings made;
  if (const char* order = std::getenv("SIMT_ORDER")) {
    const std::string name = order;
    if (name != "forward" && name != "reverse" && name != "shuffled") {
      throw std::invalid_argument("SIMT_ORDER is '" + name + "': it must be forward, reverse or shuffled");
    }
    made.order =
        name == "forward" ? Order::kForward : (name == "reverse" ? Order::kReverse : Order::kShuffled);
  }
  if (const char* seed = std::getenv("SIMT_SEED")) made.seed = std::stoull(seed);
  return made;
}

template <class Value>
Value locked(Value (*read)(Runtime&)) {
  const std::lock_guard lock(runtime().mutex);
  return read(runtime());
}

}  // namespace

Settings& settings() {
  static Settings current = from_environment();
  return current;
}

void reset() {
  Runtime& all = runtime();
  const std::lock_guard lock(all.mutex);
  settings() = from_environment();
  all.drop_queues();
  all.last_error = all.sticky_error = cudaSuccess;
  all.pending.clear();
  all.launches = all.executions = 0;
  current_device() = 0;
}

void check() {
  Runtime& all = runtime();
  const std::lock_guard lock(all.mutex);
  if (!all.pending.empty()) throw Error(std::exchange(all.pending, {}));
}

std::size_t live_allocations() {
  return device_memory().allocations().size();
}
std::size_t allocated_bytes() {
  std::size_t bytes = 0;
  for (const auto& [begin, allocation] : device_memory().allocations()) bytes += allocation.bytes;
  return bytes;
}
std::size_t live_streams() {
  return locked<std::size_t>([](Runtime& all) {
    std::size_t live = 0;
    for (const auto& stream : all.streams) live += stream->destroyed ? 0u : 1u;
    return live;
  });
}
std::size_t live_events() {
  return locked<std::size_t>([](Runtime& all) { return all.events.size(); });
}
std::size_t live_graphs() {
  return locked<std::size_t>([](Runtime& all) { return all.graphs.size() + all.executables.size(); });
}
std::size_t queued_operations() {
  return locked<std::size_t>([](Runtime& all) {
    std::size_t queued = all.default_stream->queue.size();
    for (const auto& stream : all.streams) queued += stream->queue.size();
    return queued;
  });
}
std::uint64_t launch_count() {
  return locked<std::uint64_t>([](Runtime& all) { return all.launches; });
}
std::uint64_t execution_count() {
  return locked<std::uint64_t>([](Runtime& all) { return all.executions; });
}
bool race_detector() {
  return race_hooks != nullptr;
}

}  // namespace simt
