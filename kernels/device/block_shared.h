/// \file
/// Dynamic shared memory of a block as one struct. The tests' emulation (tests/simt) has a header of the same
/// name.
#pragma once

namespace ensyn::kernels {

/// The block's shared memory; the launch must give sizeof(Shared) bytes. Holds nothing until it is written.
template <class Shared>
__device__ inline Shared& block_shared() {
  static_assert(alignof(Shared) <= 16);
  extern __shared__ __align__(16) unsigned char ensyn_block_shared[];
  return *reinterpret_cast<Shared*>(ensyn_block_shared);
}

/// As above without a type, where its parts depend on the problem; the launch must give this many bytes.
__device__ inline unsigned char* block_shared_bytes(unsigned /*bytes*/) {
  extern __shared__ __align__(16) unsigned char ensyn_block_shared[];
  return ensyn_block_shared;
}

}  // namespace ensyn::kernels
