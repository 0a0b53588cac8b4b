/// \file
/// Atomic functions of kernels. Threads run one at a time, so that a plain read and write is atomic; what
/// matters is that the race detector knows and that other threads may run in between, which out-of-line
/// functions see to.
#pragma once

#include <concepts>
#include <cstddef>

namespace simt::device {

/// Tells the race detector of an atomic access and now and then lets other threads run first.
void before_atomic(void* address, std::size_t bytes);
/// Not instrumented by the race detector's compilation.
void atomic_load(void* to, const void* from, std::size_t bytes);
void atomic_store(void* to, const void* from, std::size_t bytes);

template <class T, class Change>
T atomic(T* address, const Change& change) {
  before_atomic(address, sizeof(T));
  T old{};
  atomic_load(&old, address, sizeof(T));
  const T changed = change(old);
  atomic_store(address, &changed, sizeof(T));
  return old;
}

template <class T>
concept Number = std::same_as<T, int> || std::same_as<T, unsigned> || std::same_as<T, long long> ||
    std::same_as<T, unsigned long long> || std::same_as<T, float> || std::same_as<T, double>;
template <class T>
struct AsIs {
  using Type = T;
};
/// Keeps an argument out of deduction, so that atomicAdd(&counter, 1) works for each type of counter, as in
/// CUDA.
template <class T>
using Given = typename AsIs<T>::Type;

}  // namespace simt::device

template <simt::device::Number T>
T atomicAdd(T* address, simt::device::Given<T> value) {
  return simt::device::atomic(address, [&](T old) { return static_cast<T>(old + value); });
}
template <simt::device::Number T>
T atomicSub(T* address, simt::device::Given<T> value) {
  return simt::device::atomic(address, [&](T old) { return static_cast<T>(old - value); });
}
template <simt::device::Number T>
T atomicExch(T* address, simt::device::Given<T> value) {
  return simt::device::atomic(address, [&](T) { return value; });
}
template <simt::device::Number T>
T atomicCAS(T* address, simt::device::Given<T> expected, simt::device::Given<T> value) {
  static_assert(std::integral<T>);
  return simt::device::atomic(address, [&](T old) { return old == expected ? value : old; });
}
template <simt::device::Number T>
T atomicMin(T* address, simt::device::Given<T> value) {
  static_assert(std::integral<T>);
  return simt::device::atomic(address, [&](T old) { return value < old ? value : old; });
}
template <simt::device::Number T>
T atomicMax(T* address, simt::device::Given<T> value) {
  static_assert(std::integral<T>);
  return simt::device::atomic(address, [&](T old) { return value > old ? value : old; });
}
template <simt::device::Number T>
T atomicAnd(T* address, simt::device::Given<T> value) {
  return simt::device::atomic(address, [&](T old) { return old & value; });
}
template <simt::device::Number T>
T atomicOr(T* address, simt::device::Given<T> value) {
  return simt::device::atomic(address, [&](T old) { return old | value; });
}
template <simt::device::Number T>
T atomicXor(T* address, simt::device::Given<T> value) {
  return simt::device::atomic(address, [&](T old) { return old ^ value; });
}
inline unsigned atomicInc(unsigned* address, unsigned limit) {
  return simt::device::atomic(address, [&](unsigned old) { return old >= limit ? 0 : old + 1; });
}
