# cmake -DSCALING=ensyn_cuda_scaling -P scaling_without_device.cmake: how it ends where no device is visible.

function(expect status output error)
  execute_process(COMMAND ${SCALING} ${ARGN} RESULT_VARIABLE is_status OUTPUT_VARIABLE is_output ERROR_VARIABLE is_error)
  if(NOT is_status STREQUAL status OR NOT is_output MATCHES "${output}" OR NOT is_error MATCHES "${error}")
    message(FATAL_ERROR "${SCALING} ${ARGN}: status ${is_status}, output '${is_output}', error '${is_error}'")
  endif()
endfunction()

set(file ${CMAKE_CURRENT_BINARY_DIR}/scaling_without_device.json)
expect(4 "^$" "^no usable CUDA device: [^\n]+\n$")
expect(4 "^$" "^no usable CUDA device: [^\n]+\n$" --seconds 1 --only networks:240/,batch:8/ --method streamed --json ${file})
if(EXISTS ${file})
  message(FATAL_ERROR "there are results without a device: ${file}")
endif()
expect(2 "^$" "nonsense" --method nonsense)
expect(2 "^$" "nonsense" --nonsense)
expect(0 "--only" "^$" --help)
