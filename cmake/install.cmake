# The C library for other programs: headers, pkg-config file and CMake package (bounce::bounce).
include(CMakePackageConfigHelpers)
string(REPLACE ";" " " bounce_modules_text "${bounce_modules}")
string(REPLACE ";" " " bounce_modules "${bounce_modules}")
set(bounce_package "${CMAKE_INSTALL_LIBDIR}/cmake/bounce")
configure_file("${PROJECT_SOURCE_DIR}/cmake/bounce.pc.in"
  "${CMAKE_CURRENT_BINARY_DIR}/bounce.pc" @ONLY)
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/bounceConfig.cmake.in"
  "${CMAKE_CURRENT_BINARY_DIR}/bounceConfig.cmake" INSTALL_DESTINATION "${bounce_package}")
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/bounceConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(TARGETS bounce EXPORT bounceTargets)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/sim/include/bounce"
        DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.h")
install(EXPORT bounceTargets NAMESPACE bounce:: DESTINATION "${bounce_package}")
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/bounce.pc"
        DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/bounceConfig.cmake"
              "${CMAKE_CURRENT_BINARY_DIR}/bounceConfigVersion.cmake"
        DESTINATION "${bounce_package}")
