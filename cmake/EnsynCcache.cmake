# Compiles through ccache where it is there, so that what another checkout or build folder has compiled is not compiled
# again. A launcher that the user has named is left as it is.

find_program(ENSYN_CCACHE_PROGRAM ccache)
mark_as_advanced(ENSYN_CCACHE_PROGRAM)
if(ENSYN_CCACHE AND ENSYN_CCACHE_PROGRAM)
  # Paths below the sources are taken relative to them, so that checkouts in different folders share.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${ENSYN_CCACHE_PROGRAM})
  foreach(language CXX CUDA)
    if(NOT DEFINED CMAKE_${language}_COMPILER_LAUNCHER)
      set(CMAKE_${language}_COMPILER_LAUNCHER ${launcher})
    endif()
  endforeach()
  # ccache has kept precompiled headers whose headers had changed, and without them it shares more.
  set(CMAKE_DISABLE_PRECOMPILE_HEADERS ON)
endif()
