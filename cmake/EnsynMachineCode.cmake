# ensyn_check_machine_code(<object library>): checks the machine code of the library's CUDA kernels as a part of the
# build (cmake/machine_code.py says for what) and writes kernels.md, a table of what they use, to the build folder.
# Without cuobjdump and nvdisasm nothing is checked, and the test `machine_code` is skipped. Both are in CUDA toolkits,
# and cmake/setup.sh can fetch them.
#
# The library's property ENSYN_MACHINE_CODE_COMMAND is the command that checks, for that test.

function(ensyn_check_machine_code library)
  set(script ${PROJECT_SOURCE_DIR}/cmake/machine_code.py)
  find_package(Python3 3.9 QUIET COMPONENTS Interpreter)
  find_program(ENSYN_CUOBJDUMP cuobjdump HINTS ${CUDAToolkit_BIN_DIR} ${PROJECT_SOURCE_DIR}/build/tools/bin)
  if(ENSYN_CUOBJDUMP)
    get_filename_component(folder ${ENSYN_CUOBJDUMP} DIRECTORY)
    find_program(ENSYN_NVDISASM nvdisasm HINTS ${folder})
  endif()
  set(command ${Python3_EXECUTABLE} -B ${script} $<TARGET_OBJECTS:${library}>)
  if(NOT ENSYN_CUOBJDUMP OR NOT ENSYN_NVDISASM OR NOT Python3_FOUND)
    message(STATUS "ensyn: the kernels' machine code is not checked, for want of cuobjdump, nvdisasm or Python 3.9")
    set_target_properties(${library} PROPERTIES ENSYN_MACHINE_CODE_COMMAND "${command}")
    # Compiled they are all the same.
    add_custom_target(${library}_machine_code)
    add_dependencies(${library}_machine_code ${library})
    return()
  endif()

  # Block sizes and dynamic shared memory, which only the host knows.
  set(tool ${library}_launch_shapes)
  add_executable(${tool} ${PROJECT_SOURCE_DIR}/tests/build/launch_shapes.cpp ${PROJECT_SOURCE_DIR}/host/base/error.cpp
                         ${ENSYN_KERNEL_HOST_SOURCES})
  target_include_directories(${tool} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
  target_include_directories(${tool} SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})
  target_link_libraries(${tool} PRIVATE ${library} CUDA::cudart_static ${CMAKE_DL_LIBS})
  ensyn_compile_options(${tool})
  set(shapes ${PROJECT_BINARY_DIR}/${tool}.json)
  add_custom_command(OUTPUT ${shapes} COMMAND ${tool} > ${shapes} DEPENDS ${tool} VERBATIM
    COMMENT "Listing the launch shapes of ${library}")

  set(stamp ${PROJECT_BINARY_DIR}/${library}_machine_code.stamp)
  list(APPEND command --cuobjdump ${ENSYN_CUOBJDUMP} --shapes ${shapes} --table ${PROJECT_BINARY_DIR}/kernels.md
                      --stamp ${stamp})
  ensyn_real_architectures(architectures ${library})
  if(architectures)
    list(APPEND command --architectures ${architectures})
  endif()
  add_custom_command(OUTPUT ${stamp} BYPRODUCTS ${PROJECT_BINARY_DIR}/kernels.md COMMAND ${command}
    DEPENDS ${script} ${shapes} $<TARGET_OBJECTS:${library}> COMMAND_EXPAND_LISTS VERBATIM
    COMMENT "Checking the machine code of ${library}")
  add_custom_target(${library}_machine_code ALL DEPENDS ${stamp})
  set_target_properties(${library} PROPERTIES ENSYN_MACHINE_CODE_COMMAND "${command}")
endfunction()

# The numbers of the architectures that a target has machine code for; none where they are not named, as in `native`.
function(ensyn_real_architectures result target)
  get_target_property(architectures ${target} CUDA_ARCHITECTURES)
  list(FILTER architectures EXCLUDE REGEX "-virtual$")
  list(TRANSFORM architectures REPLACE "-real$" "")
  foreach(architecture IN LISTS architectures)
    if(NOT architecture MATCHES "^[0-9]+[a-z]?$")
      set(architectures "")
    endif()
  endforeach()
  set(${result} ${architectures} PARENT_SCOPE)
endfunction()
