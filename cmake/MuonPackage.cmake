# find_package(MuonMLIR), from an installation and from a build tree alike: the
# package files refer to nothing but the targets files beside them.

include(CMakePackageConfigHelpers)

set(_package_build ${PROJECT_BINARY_DIR}/lib/cmake/MuonMLIR)
set(_package_install ${CMAKE_INSTALL_LIBDIR}/cmake/MuonMLIR)

configure_file(cmake/MuonMLIRConfig.cmake.in
  ${_package_build}/MuonMLIRConfig.cmake @ONLY)
# Before 1.0 every minor version may change the interface.
write_basic_package_version_file(
  ${_package_build}/MuonMLIRConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${_package_build}/MuonMLIRConfig.cmake
  ${_package_build}/MuonMLIRConfigVersion.cmake
  DESTINATION ${_package_install})

foreach(_component IN ITEMS Runtime CAPI Compiler)
  export(EXPORT Muon${_component}Targets NAMESPACE MuonMLIR::
    FILE ${_package_build}/Muon${_component}Targets.cmake)
  install(EXPORT Muon${_component}Targets NAMESPACE MuonMLIR::
    DESTINATION ${_package_install})
endforeach()

# Headers with what TableGen made of them, and .td files for dialects that build
# on ours. RunTool.h and SimTool.h declare tools, which are no libraries.
install(
  DIRECTORY
    ${PROJECT_SOURCE_DIR}/include/muon-mlir
    ${PROJECT_SOURCE_DIR}/include/muon-mlir-c
    ${PROJECT_BINARY_DIR}/include/muon-mlir
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h" PATTERN "*.td" PATTERN "*.inc"
  PATTERN CMakeFiles EXCLUDE
  PATTERN RunTool.h EXCLUDE
  PATTERN SimTool.h EXCLUDE)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/README.md
  DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs
  DESTINATION ${CMAKE_INSTALL_DOCDIR})
