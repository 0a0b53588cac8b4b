# Compiler settings of our own targets: ensyn_compile_options(<target>).

function(ensyn_compile_options target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  # Noise and results must not depend on what the compiler contracts: every fused multiply-add is written out.
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off -Wall -Wextra -Wconversion
                                           -Wshadow -Wnon-virtual-dtor>)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # GCC 12 deletes the rounding of two adjacent double -> float -> double conversions when it makes a vector of them,
    # and warns, wrongly, about its own std::string and std::vector (gcc.gnu.org/bugzilla 105651, 105562).
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fno-tree-slp-vectorize -Wno-restrict
                                             -Wno-maybe-uninitialized -Wno-use-after-free>)
  endif()
  if(ENSYN_WARNINGS_AS_ERRORS)
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
  endif()
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-ffp-contract=off
                                           -Werror=all-warnings>)
  if(ENSYN_SANITIZE)
    # Line numbers are all that reports need, and -O1 all that the tests do: together they take half the time to compile.
    target_compile_options(${target} PRIVATE -fsanitize=${ENSYN_SANITIZE} -fno-omit-frame-pointer -O1 -g1
                                             -fno-sanitize-recover=all)
    # GCC's manual advises against -Werror here: instrumented code draws warnings that are wrong (-Wstringop-overflow of
    # a std::vector's fill, for one). The other builds compile the same sources with every warning an error.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-error>)
    if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
      # With -O1 it does not unroll all loops that ask for it.
      target_compile_options(${target} PRIVATE -Wno-pass-failed)
      if(ENSYN_SANITIZE MATCHES address)
        # What is proven to stay inside its variable needs no check: the default of later versions.
        target_compile_options(${target} PRIVATE "SHELL:-mllvm -asan-use-stack-safety=1")
      endif()
    endif()
    target_link_options(${target} PRIVATE -fsanitize=${ENSYN_SANITIZE})
  endif()
endfunction()
