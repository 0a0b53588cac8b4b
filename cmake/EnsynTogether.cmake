# Sources compiled together, which takes a third of the time: headers such as nlohmann/json.hpp, and what is made of their
# templates, are read and compiled once for all of them. Tools that want each source by itself turn ENSYN_UNITY_BUILD off.
#
# ensyn_compile_together(<target> <folders>...): the target's sources in each folder, or in `a+b`, are one text. What
# lies in no such folder stays by itself.

function(ensyn_compile_together target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${ENSYN_UNITY_BUILD} UNITY_BUILD_MODE GROUP)
  get_target_property(sources ${target} SOURCES)
  foreach(group ${ARGN})
    string(REPLACE "+" "|" folders "${group}")
    foreach(source ${sources})
      if(source MATCHES "^(${folders})/")
        set_source_files_properties(${source} PROPERTIES UNITY_GROUP "${group}")
      endif()
    endforeach()
  endforeach()
endfunction()
