#include "host/driver/memory.h"

#include <algorithm>
#include <fstream>
#include <string>

namespace ensyn::driver {
namespace {

/// The number that is all of a file; nothing when it is a word such as `max`, or not there.
std::optional<std::uint64_t> number_in(const std::string& file) {
  std::ifstream stream(file);
  std::uint64_t value = 0;
  return stream >> value ? std::optional(value) : std::nullopt;
}

std::optional<std::uint64_t> machine_memory() {
  std::ifstream stream("/proc/meminfo");
  std::string name;
  for (std::uint64_t kilobytes = 0; stream >> name >> kilobytes; stream.ignore(100, '\n')) {
    if (name == "MemAvailable:") return kilobytes * 1024;
  }
  return std::nullopt;
}

/// Within the limit of a container, where it has one (control groups, version 2).
std::optional<std::uint64_t> group_memory() {
  const auto limit = number_in("/sys/fs/cgroup/memory.max"),
             used = number_in("/sys/fs/cgroup/memory.current");
  if (!limit || !used) return std::nullopt;
  return *limit - std::min(*limit, *used);
}

}  // namespace

std::optional<std::uint64_t> available_memory() {
  const auto machine = machine_memory(), group = group_memory();
  if (machine && group) return std::min(*machine, *group);
  return machine ? machine : group;
}

}  // namespace ensyn::driver
