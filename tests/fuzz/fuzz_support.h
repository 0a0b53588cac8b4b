/// \file
/// What the fuzz targets share.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

namespace ensyn::fuzz {

/// Stops with a report when a property does not hold.
inline void require(bool holds, const char* property) {
  if (!holds) {
    std::fprintf(stderr, "property violated: %s\n", property);
    std::abort();
  }
}

/// The message of an error is one line.
inline void require_one_line(const std::exception& error) {
  require(std::strchr(error.what(), '\n') == nullptr, "errors have one line");
}

/// What `read` returns; nothing when it refuses the input by an `Expected` error of one line.
template <class Expected, class Read>
auto attempt(Read&& read) -> std::optional<decltype(read())> {
  try {
    return read();
  } catch (const Expected& error) {
    require_one_line(error);
    return std::nullopt;
  }
}

/// A file in memory that has a path, so that the readers run as they do for users.
class MemoryFile {
 public:
  explicit MemoryFile(std::span<const std::uint8_t> content) : descriptor_(::memfd_create("fuzz", 0)) {
    require(descriptor_ >= 0, "memfd_create");
    require(::write(descriptor_, content.data(), content.size()) == static_cast<ssize_t>(content.size()),
            "write to memory");
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { ::close(descriptor_); }
  [[nodiscard]] std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

}  // namespace ensyn::fuzz
