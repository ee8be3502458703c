# Compile options and the one way in which this project links MLIR.

# The shared libraries only: a component library beside them would load MLIR
# twice into one process, with two sets of type ids.
set(MUON_MLIR_LIBS MLIR LLVM)

# mlir_tablegen takes its include path from the directory.
include_directories(${PROJECT_SOURCE_DIR}/include ${MLIR_INCLUDE_DIRS})

# Interface target for code that sees LLVM or MLIR headers. Installed: the
# package file adds the include directories of the MLIR it finds.
add_library(muon_mlir_options INTERFACE)
target_include_directories(muon_mlir_options SYSTEM INTERFACE
  $<BUILD_INTERFACE:${MLIR_INCLUDE_DIRS}>
  $<BUILD_INTERFACE:${LLVM_INCLUDE_DIRS}>)
# Debian builds LLVM with NDEBUG, and the layout of pass statistics in its
# headers depends on it: code that sees them has to agree in every build type.
target_compile_definitions(muon_mlir_options INTERFACE NDEBUG)

# Interface target for our own code of the compiler side; not for its users.
add_library(muon_no_exceptions INTERFACE)
target_compile_options(muon_no_exceptions INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions>)

# Interface target for code that sees our headers.
add_library(muon_headers INTERFACE)
target_include_directories(muon_headers INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
  $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

# Interface target for all of our code; not for its users.
add_library(muon_options INTERFACE)
target_link_libraries(muon_options INTERFACE muon_headers)
target_compile_options(muon_options INTERFACE
  -Wall -Wextra -Wno-unused-parameter -Werror=return-type)
if(MUON_SANITIZE)
  target_compile_options(muon_options INTERFACE
    -fsanitize=address,undefined -fno-sanitize=vptr,function
    -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  target_link_options(muon_options INTERFACE
    -fsanitize=address,undefined -fno-sanitize=vptr,function)
endif()

# What find_package(MuonMLIR) offers, by component. An installed library needs
# each library of ours that it links to be installed too.
function(muon_install_library name component)
  install(TARGETS ${name} EXPORT Muon${component}Targets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endfunction()
muon_install_library(muon_headers Runtime)
muon_install_library(muon_options Runtime)
muon_install_library(muon_mlir_options Compiler)
muon_install_library(muon_no_exceptions Compiler)

# muon_add_library(name sources... [DEPENDS targets...] [LINK libs...])
#
# A static library of the compiler side. Static libraries of ours do not link
# MLIR themselves; the tools do, once.
function(muon_add_library name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name}
    PRIVATE muon_options muon_no_exceptions
    PUBLIC muon_headers muon_mlir_options ${ARG_LINK} ${MUON_MLIR_LIBS})
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
  muon_install_library(${name} Compiler)
endfunction()

# muon_add_tool(name sources... LINK libs...)
function(muon_add_tool name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE muon_options muon_no_exceptions
    muon_mlir_options ${ARG_LINK} ${MUON_MLIR_LIBS})
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()
