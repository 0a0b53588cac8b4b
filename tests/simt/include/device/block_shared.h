/// \file
/// Stands in for kernels/device/block_shared.h: also checks the number of bytes that the launch gave.
#pragma once

#include "simt/simt.h"

namespace ensyn::kernels {

/// The block's shared memory; the launch must give sizeof(Shared) bytes. Poisoned until it is written.
template <class Shared>
inline Shared& block_shared(simt::device::Where where = simt::device::Where::current()) {
  static_assert(alignof(Shared) <= 16);
  return *static_cast<Shared*>(simt::device::block_shared(sizeof(Shared), where));
}

inline unsigned char* block_shared_bytes(unsigned bytes,
                                         simt::device::Where where = simt::device::Where::current()) {
  return static_cast<unsigned char*>(simt::device::block_shared(bytes, where));
}

}  // namespace ensyn::kernels
