# Sources compiled together, which takes a third of the time: headers such as nlohmann/json.hpp, and what is made of their
# templates, are read and compiled once for all of them. Tools that want each source by itself turn ENSYN_UNITY_BUILD off.
#
# ensyn_compile_together(<target> <beginnings>...): the target's sources whose paths begin so, for example with `sweep/`, or
# with one of `settings/+files/`, are one text. Others stay by themselves.

function(ensyn_compile_together target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${ENSYN_UNITY_BUILD} UNITY_BUILD_MODE GROUP)
  get_target_property(sources ${target} SOURCES)
  foreach(group ${ARGN})
    string(REPLACE "+" "|" beginnings "${group}")
    string(MAKE_C_IDENTIFIER "${group}" name)
    foreach(source ${sources})
      if(source MATCHES "^(${beginnings})")
        set_source_files_properties(${source} PROPERTIES UNITY_GROUP "${name}")
      endif()
    endforeach()
  endforeach()
endfunction()
