# ensyn_highway_options(<source>): which of Highway's targets the CPU kernels are compiled for: AVX-512, AVX2, NEON and
# the portable one. Targets without fused multiply-add would be slow twins of the portable one; those between AVX2 and
# AVX-512 VNNI and beyond bring nothing to these kernels; SVE has no fixed vector width.

function(ensyn_highway_options source)
  set(disabled HWY_SSSE3 HWY_SSE4 HWY_AVX3_DL HWY_SVE HWY_SVE2 HWY_SVE_256 HWY_SVE2_128)
  if(hwy_VERSION VERSION_GREATER_EQUAL 1.0.4)
    list(APPEND disabled HWY_SSE2 HWY_AVX3_ZEN4)
  endif()
  if(hwy_VERSION VERSION_GREATER_EQUAL 1.0.6)
    list(APPEND disabled HWY_AVX3_SPR HWY_NEON_WITHOUT_AES)
  endif()
  string(JOIN "|" disabled ${disabled})
  set_source_files_properties(${source} PROPERTIES
    # The portable target needs 128-bit vectors even where Highway, because of a bug of GCC's auto-vectoriser before
    # 12.3 (gcc.gnu.org/bugzilla 106322), falls back to single elements; without that vectoriser there is no bug.
    COMPILE_OPTIONS "-fno-tree-vectorize;-O3"
    COMPILE_DEFINITIONS "HWY_DISABLED_TARGETS=(${disabled});HWY_BROKEN_EMU128=0")
endfunction()
