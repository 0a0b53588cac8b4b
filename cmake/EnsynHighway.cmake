# ensyn_highway_options(<sources...>): which of Highway's targets the CPU kernels are compiled for: AVX-512, AVX2, NEON and
# the portable one. Targets without fused multiply-add would be slow twins of the portable one; those between AVX2 and
# AVX-512 VNNI and beyond bring nothing to these kernels; SVE has no fixed vector width.

function(ensyn_highway_options)
  set(disabled HWY_SSSE3 HWY_SSE4 HWY_AVX3_DL HWY_SVE HWY_SVE2 HWY_SVE_256 HWY_SVE2_128)
  if(hwy_VERSION VERSION_GREATER_EQUAL 1.0.4)
    list(APPEND disabled HWY_SSE2 HWY_AVX3_ZEN4)
  endif()
  if(hwy_VERSION VERSION_GREATER_EQUAL 1.0.6)
    list(APPEND disabled HWY_AVX3_SPR HWY_NEON_WITHOUT_AES)
  endif()
  string(JOIN "|" disabled ${disabled})
  # The portable target needs 128-bit vectors even where Highway, because of a bug of GCC's auto-vectoriser before 12.3
  # (gcc.gnu.org/bugzilla 106322), falls back to single elements; without that vectoriser there is no bug.
  set(options -fno-tree-vectorize)
  set(definitions "HWY_DISABLED_TARGETS=(${disabled})" HWY_BROKEN_EMU128=0)
  if(ENSYN_SANITIZE)
    # One target is enough to find what sanitizers find, and all take ten minutes to compile; bitwise comparison of the
    # targets in the other builds covers the rest.
    list(APPEND definitions HWY_COMPILE_ONLY_STATIC)
    list(APPEND options -O1 -g1)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
      list(APPEND options -march=x86-64-v3 -maes -mpclmul)
    endif()
  elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
    list(APPEND options -O3)
  endif()
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS "${options}" COMPILE_DEFINITIONS "${definitions}")
endfunction()
