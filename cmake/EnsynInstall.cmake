# What `cmake --install` puts where: libensyn.so, its headers, the driver, a CMake package and a pkg-config file. The
# library's own libraries are private to it: who links ensyn needs none of them.

include(CMakePackageConfigHelpers)

install(TARGETS ensyn EXPORT ensyn
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ensyn DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h" PATTERN "*.inl")
install(FILES ${PROJECT_BINARY_DIR}/generated/ensyn/version.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ensyn)
if(TARGET ensyn_mpi)
  install(TARGETS ensyn_mpi LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
if(TARGET ensyn_driver)
  install(TARGETS ensyn_driver RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/ensyn)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/ensynConfig.cmake.in
  ${PROJECT_BINARY_DIR}/package/ensynConfig.cmake INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/package/ensynConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(EXPORT ensyn NAMESPACE ensyn:: FILE ensynTargets.cmake DESTINATION ${package_folder})
install(FILES ${PROJECT_BINARY_DIR}/package/ensynConfig.cmake ${PROJECT_BINARY_DIR}/package/ensynConfigVersion.cmake
  DESTINATION ${package_folder})

# Paths relative to the .pc file, so that an installed tree may be moved, and `cmake --install --prefix` be used.
set(pkgconfig_folder ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
foreach(part LIBDIR INCLUDEDIR)
  if(IS_ABSOLUTE "${CMAKE_INSTALL_${part}}")
    set(pc_${part} ${CMAKE_INSTALL_${part}})
  else()
    file(RELATIVE_PATH up /prefix/${pkgconfig_folder} /prefix)
    string(REGEX REPLACE "/$" "" up "${up}")
    set(pc_${part} "\${pcfiledir}/${up}/${CMAKE_INSTALL_${part}}")
  endif()
endforeach()
configure_file(${PROJECT_SOURCE_DIR}/cmake/ensyn.pc.in ${PROJECT_BINARY_DIR}/package/ensyn.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/package/ensyn.pc DESTINATION ${pkgconfig_folder})
