// The functions that -fsanitize=thread makes the compiler call, in place of that sanitizer's own library.

#include <cstddef>
#include <cstdint>

#include "race.h"

namespace {

using simt::AccessKind;

/// A change of a whole value, of which the host's code around launches has some too, and from several
/// threads.
template <class T>
T* noted(volatile T* address, const void* point) {
  T* plain = const_cast<T*>(address);
  simt::note_access(plain, sizeof(T), AccessKind::kAtomic, point);
  return plain;
}

}  // namespace

// Declared by no header; the compiler knows their names.
#pragma GCC diagnostic ignored "-Wmissing-declarations"

#define SIMT_POINT __builtin_return_address(0)

#define SIMT_ACCESS(name, bytes, kind)                               \
  void __tsan_##name(void* address) {                                \
    simt::note_access(address, bytes, AccessKind::kind, SIMT_POINT); \
  }

#define SIMT_ACCESSES(bytes)                       \
  SIMT_ACCESS(read##bytes, bytes, kRead)           \
  SIMT_ACCESS(write##bytes, bytes, kWrite)         \
  SIMT_ACCESS(unaligned_read##bytes, bytes, kRead) \
  SIMT_ACCESS(unaligned_write##bytes, bytes, kWrite)

#define SIMT_FETCH(bits, type, name)                                                   \
  type __tsan_atomic##bits##_fetch_##name(volatile type* address, type value, int) {   \
    return __atomic_fetch_##name(noted(address, SIMT_POINT), value, __ATOMIC_SEQ_CST); \
  }

#define SIMT_COMPARE(bits, type, name)                                                                       \
  int __tsan_atomic##bits##_compare_exchange_##name(volatile type* address, type* expected, type value, int, \
                                                    int) {                                                   \
    return __atomic_compare_exchange_n(noted(address, SIMT_POINT), expected, value, false, __ATOMIC_SEQ_CST, \
                                       __ATOMIC_SEQ_CST)                                                     \
               ? 1                                                                                           \
               : 0;                                                                                          \
  }

#define SIMT_ATOMICS(bits, type)                                                                      \
  type __tsan_atomic##bits##_load(const volatile type* address, int) {                                \
    return __atomic_load_n(noted(const_cast<volatile type*>(address), SIMT_POINT), __ATOMIC_SEQ_CST); \
  }                                                                                                   \
  void __tsan_atomic##bits##_store(volatile type* address, type value, int) {                         \
    __atomic_store_n(noted(address, SIMT_POINT), value, __ATOMIC_SEQ_CST);                            \
  }                                                                                                   \
  type __tsan_atomic##bits##_exchange(volatile type* address, type value, int) {                      \
    return __atomic_exchange_n(noted(address, SIMT_POINT), value, __ATOMIC_SEQ_CST);                  \
  }                                                                                                   \
  SIMT_FETCH(bits, type, add)                                                                         \
  SIMT_FETCH(bits, type, sub)                                                                         \
  SIMT_FETCH(bits, type, and)                                                                         \
  SIMT_FETCH(bits, type, or)                                                                          \
  SIMT_FETCH(bits, type, xor)                                                                         \
  SIMT_COMPARE(bits, type, strong)                                                                    \
  SIMT_COMPARE(bits, type, weak)

extern "C" {

SIMT_ACCESSES(1)
SIMT_ACCESSES(2)
SIMT_ACCESSES(4)
SIMT_ACCESSES(8)
SIMT_ACCESSES(16)
SIMT_ACCESS(vptr_read, sizeof(void*), kRead)

SIMT_ATOMICS(8, std::uint8_t)
SIMT_ATOMICS(16, std::uint16_t)
SIMT_ATOMICS(32, std::uint32_t)
SIMT_ATOMICS(64, std::uint64_t)

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_atomic_thread_fence(int) {}
void __tsan_atomic_signal_fence(int) {}

void __tsan_vptr_update(void** address, void*) {
  simt::note_access(address, sizeof(void*), AccessKind::kWrite, SIMT_POINT);
}
void __tsan_read_range(void* address, std::size_t bytes) {
  simt::note_access(address, bytes, AccessKind::kRead, SIMT_POINT);
}
void __tsan_write_range(void* address, std::size_t bytes) {
  simt::note_access(address, bytes, AccessKind::kWrite, SIMT_POINT);
}
}
