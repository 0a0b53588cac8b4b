#include "host/base/memory.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>

#include "ensyn/device.h"
#include "ensyn/error.h"

namespace ensyn {
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

/// What a control group holds of files that were read and may be dropped.
std::uint64_t group_cache() {
  std::ifstream stream("/sys/fs/cgroup/memory.stat");
  std::string name;
  for (std::uint64_t bytes = 0; stream >> name >> bytes;) {
    if (name == "inactive_file") return bytes;
  }
  return 0;
}

/// Within the limit of a container, where it has one (control groups, version 2).
std::optional<std::uint64_t> group_memory() {
  const auto limit = number_in("/sys/fs/cgroup/memory.max"),
             used = number_in("/sys/fs/cgroup/memory.current");
  if (!limit || !used) return std::nullopt;
  const std::uint64_t kept = *used - std::min(*used, group_cache());
  return *limit - std::min(*limit, kept);
}

}  // namespace

std::optional<std::uint64_t> available_memory() {
  const auto machine = machine_memory(), group = group_memory();
  if (machine && group) return std::min(*machine, *group);
  return machine ? machine : group;
}

void require_memory(double bytes, const std::string& what, const std::string& advice) {
  const auto available = available_memory();
  if (!available || bytes <= static_cast<double>(*available)) return;
  const auto mebibytes = [](double size) { return std::to_string(std::llround(std::ceil(size / 0x1p20))); };
  throw OutOfMemoryError("not enough memory for " + what + ", which takes about " +
                         mebibytes(std::fmin(bytes, 0x1p80)) + " MiB, and " +
                         mebibytes(static_cast<double>(*available)) + " MiB are free: " + advice);
}

}  // namespace ensyn
