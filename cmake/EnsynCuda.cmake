# Finds the CUDA toolkit when it is wanted; sets ENSYN_CUDA.
#
# AUTO builds what this machine can use: with a toolkit and an NVIDIA GPU the CUDA backend for that GPU, otherwise none,
# unless CMAKE_CUDA_ARCHITECTURES asks for some. ON builds the backend without a GPU too, for every GPU that ensyn
# supports unless CMAKE_CUDA_ARCHITECTURES says which; all of them take seven times as long as one.

# Machine code for each, and PTX for what comes after. (`native` fails where there is no GPU.)
set(ENSYN_ALL_ARCHITECTURES 75-real 80-real 86-real 89-real 90-real 100-real 120)

# Whether the driver shows a GPU. The file system is asked because no tool need be installed.
function(ensyn_has_gpu result)
  file(GLOB devices /dev/nvidia[0-9]* /proc/driver/nvidia/gpus/*)
  if(devices OR EXISTS /dev/dxg)  # the latter under Windows' Linux
    set(${result} ON PARENT_SCOPE)
  else()
    set(${result} OFF PARENT_SCOPE)
  endif()
endfunction()

set(ENSYN_CUDA OFF)
set(ensyn_cuda_advice "")
if(ENSYN_ENABLE_CUDA STREQUAL "ON" OR ENSYN_ENABLE_CUDA STREQUAL "AUTO")
  include(CheckLanguage)
  check_language(CUDA)
  ensyn_has_gpu(gpu)
  if(CMAKE_CUDA_COMPILER AND (gpu OR DEFINED CMAKE_CUDA_ARCHITECTURES OR ENSYN_ENABLE_CUDA STREQUAL "ON"))
    if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
      if(ENSYN_ENABLE_CUDA STREQUAL "AUTO")
        set(CMAKE_CUDA_ARCHITECTURES native)
      else()
        set(CMAKE_CUDA_ARCHITECTURES ${ENSYN_ALL_ARCHITECTURES})
      endif()
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
  elseif(CMAKE_CUDA_COMPILER)
    set(ensyn_cuda_advice ": there is no GPU here; -DENSYN_ENABLE_CUDA=ON builds for machines that have one")
  elseif(gpu)
    set(ensyn_cuda_advice ": there is a GPU, but no CUDA toolkit (nvcc) on PATH or in CUDACXX")
  endif()
elseif(NOT ENSYN_ENABLE_CUDA STREQUAL "OFF")
  message(FATAL_ERROR "ENSYN_ENABLE_CUDA is '${ENSYN_ENABLE_CUDA}': it must be AUTO, ON or OFF")
endif()
message(STATUS "ensyn: CUDA ${ENSYN_CUDA}${ensyn_cuda_advice}")
