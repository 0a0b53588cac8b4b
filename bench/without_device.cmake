# cmake -DPROGRAM=... -DFLAGS=... -DBAD=... -P without_device.cmake: how a measurement of a device ends where none is
# visible, with good FLAGS too, and with one flag whose value is BAD.

function(expect status output error)
  execute_process(COMMAND ${PROGRAM} ${ARGN} RESULT_VARIABLE is_status OUTPUT_VARIABLE is_output ERROR_VARIABLE is_error)
  if(NOT is_status STREQUAL status OR NOT is_output MATCHES "${output}" OR NOT is_error MATCHES "${error}")
    message(FATAL_ERROR "${PROGRAM} ${ARGN}: status ${is_status}, output '${is_output}', error '${is_error}'")
  endif()
endfunction()

separate_arguments(FLAGS)
get_filename_component(name ${PROGRAM} NAME)
set(file ${CMAKE_CURRENT_BINARY_DIR}/${name}_without_device.json)
expect(4 "^$" "^no usable CUDA device: [^\n]+\n$")
expect(4 "^$" "^no usable CUDA device: [^\n]+\n$" ${FLAGS} --json ${file})
if(EXISTS ${file})
  message(FATAL_ERROR "there are results without a device: ${file}")
endif()
expect(2 "^$" "nonsense" ${BAD} nonsense)
expect(2 "^$" "nonsense" --nonsense)
expect(0 "--only" "^$" --help)
