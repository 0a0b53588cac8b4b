# cmake -DPROBE=ensyn_probe -P without_device.cmake: how the probe ends where no device is visible.

function(expect status output error)
  execute_process(COMMAND ${PROBE} ${ARGN} RESULT_VARIABLE is_status OUTPUT_VARIABLE is_output ERROR_VARIABLE is_error)
  if(NOT is_status STREQUAL status OR NOT is_output MATCHES "${output}" OR NOT is_error MATCHES "${error}")
    message(FATAL_ERROR "${PROBE} ${ARGN}: status ${is_status}, output '${is_output}', error '${is_error}'")
  endif()
endfunction()

set(file ${CMAKE_CURRENT_BINARY_DIR}/probe_without_device.json)
expect(4 "^$" "^no usable CUDA device: [^\n]+\n$")
expect(4 "^$" "^no usable CUDA device: [^\n]+\n$" --only clusters,rates --json ${file})
if(EXISTS ${file})
  message(FATAL_ERROR "there are results without a device: ${file}")
endif()
expect(2 "^$" "nonsense" --only nonsense)
expect(2 "^$" "nonsense" --nonsense)
expect(0 "--only" "^$" --help)
