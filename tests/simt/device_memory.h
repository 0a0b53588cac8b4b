/// \file
/// Memory that kernels see, in one reserved range of addresses: allocations between unmapped pages, with
/// canaries in what is left of their own pages, never reused soon; and the shared memory of the blocks of one
/// cluster.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace simt {

enum class MemoryKind { kDevice, kPinned };

struct Allocation {
  std::byte* begin = nullptr;
  std::size_t bytes = 0;
  MemoryKind kind{};
  int device = 0;
};

class DeviceMemory {
 public:
  DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  /// Poisoned with 0xFF. Null if the system has none left.
  [[nodiscard]] void* allocate(std::size_t bytes, MemoryKind kind, int device);
  void free(const Allocation& allocation);
  /// The one that `address` points into or just behind, or null.
  [[nodiscard]] const Allocation* find(const void* address) const;
  /// What an invalid address in the range may be.
  [[nodiscard]] std::string explain(const void* address) const;

  [[nodiscard]] bool in_range(const void* address) const {
    const auto* byte = static_cast<const std::byte*>(address);
    return byte >= low_ && byte < high_;
  }
  [[nodiscard]] const std::byte* low() const { return low_; }
  [[nodiscard]] std::size_t range_bytes() const { return static_cast<std::size_t>(high_ - low_); }
  [[nodiscard]] const std::map<std::byte*, Allocation>& allocations() const { return allocations_; }

  /// Text of the first fault, whose canary is then repaired; empty if there is none.
  [[nodiscard]] std::string check_guards();
  void repair_guards();

  [[nodiscard]] std::byte* shared_memory(std::uint32_t rank, std::size_t bytes) const;
  void poison_shared(std::uint32_t rank, std::size_t bytes);
  [[nodiscard]] std::string check_shared(std::uint32_t rank, std::size_t bytes);
  /// Rank of the block whose dynamic shared memory `address` lies in, or -1.
  [[nodiscard]] int shared_rank(const void* address) const;
  /// Whether `address` lies in static shared memory.
  [[nodiscard]] static bool is_static_shared(const void* address);

  /// Host code must not touch device memory: AddressSanitizer is told so while no device work runs.
  void set_device_access(bool allowed);

 private:
  [[nodiscard]] std::byte* find_room(std::size_t bytes);

  std::byte* low_ = nullptr;
  std::byte* high_ = nullptr;
  std::byte* cursor_ = nullptr;
  std::map<std::byte*, Allocation> allocations_;  // by where they begin
};

[[nodiscard]] DeviceMemory& device_memory();

}  // namespace simt
