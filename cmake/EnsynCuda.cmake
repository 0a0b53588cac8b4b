# Finds the CUDA toolkit when it is wanted; sets ENSYN_CUDA. No GPU is needed to build.

set(ENSYN_CUDA OFF)
if(ENSYN_ENABLE_CUDA STREQUAL "ON" OR ENSYN_ENABLE_CUDA STREQUAL "AUTO")
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    # `native` fails where there is no GPU, so the list is named: machine code for each, and PTX for what comes after.
    if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
      set(CMAKE_CUDA_ARCHITECTURES 75-real 80-real 86-real 89-real 90-real 100-real 120)
    endif()
    enable_language(CUDA)
    # CMake before 3.26 does not know how nvcc is asked for C++20.
    if(NOT DEFINED CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
      set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
      set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
    endif()
    set(CMAKE_CUDA_STANDARD 20)
    set(CMAKE_CUDA_STANDARD_REQUIRED ON)
    find_package(CUDAToolkit REQUIRED)
    set(ENSYN_CUDA ON)
  elseif(ENSYN_ENABLE_CUDA STREQUAL "ON")
    message(FATAL_ERROR "ENSYN_ENABLE_CUDA=ON, but no CUDA compiler was found: put nvcc on PATH, set CUDACXX, "
                        "or configure with -DENSYN_ENABLE_CUDA=OFF")
  endif()
elseif(NOT ENSYN_ENABLE_CUDA STREQUAL "OFF")
  message(FATAL_ERROR "ENSYN_ENABLE_CUDA is '${ENSYN_ENABLE_CUDA}': it must be AUTO, ON or OFF")
endif()
message(STATUS "ensyn: CUDA ${ENSYN_CUDA}")
