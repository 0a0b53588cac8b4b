/// \file
/// ENSYN_UNROLL before a loop of a few iterations asks for all of them in line, ENSYN_ROLLED for none. Not
/// part of the stable API.
#pragma once

#if defined(__CUDACC__) || defined(__clang__)
#  define ENSYN_UNROLL _Pragma("unroll")
#  define ENSYN_ROLLED _Pragma("unroll 1")
#else
#  define ENSYN_UNROLL _Pragma("GCC unroll 16")
#  define ENSYN_ROLLED
#endif
