# Every dependency, in one place: what is required, what is optional, and what
# the absence of an optional part turns off (printed by muon_print_summary).

# MLIR's version file wants major.minor. A release other than 22.1 has another
# C++ API, so it is refused here and not by a page of compiler errors.
if(MLIR_DIR)
  # Asked for by name: this one or none.
  find_package(MLIR 22.1 QUIET CONFIG PATHS ${MLIR_DIR} NO_DEFAULT_PATH)
else()
  find_package(MLIR 22.1 QUIET CONFIG HINTS /usr/lib/llvm-22/lib/cmake/mlir)
endif()
if(NOT MLIR_FOUND)
  set(_found "none")
  if(MLIR_CONSIDERED_VERSIONS)
    set(_found ${MLIR_CONSIDERED_VERSIONS})
    list(REMOVE_DUPLICATES _found)
  endif()
  message(FATAL_ERROR "muon-mlir needs LLVM/MLIR 22.1 (found: ${_found}); install the packages libmlir-22-dev, mlir-22-tools and llvm-22-dev, or run scripts/setup.sh")
endif()
find_package(LLVM 22.1 REQUIRED CONFIG HINTS ${LLVM_DIR})

list(APPEND CMAKE_MODULE_PATH ${MLIR_CMAKE_DIR} ${LLVM_CMAKE_DIR})
include(TableGen)
include(AddLLVM)
include(AddMLIR)

find_package(PkgConfig REQUIRED)
pkg_check_modules(OPENBLAS REQUIRED IMPORTED_TARGET openblas)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(Threads REQUIRED)

set(MUON_SUMMARY "")
macro(muon_optional name found effect)
  if(${found})
    list(APPEND MUON_SUMMARY "  ${name}: found")
  else()
    list(APPEND MUON_SUMMARY "  ${name}: not found; ${effect}")
  endif()
endmacro()

# Not by its own CMake files, which want OpenCL. Major version 3 has another C
# interface.
find_path(DNNL_INCLUDE_DIR oneapi/dnnl/dnnl_version.h)
find_library(DNNL_LIBRARY dnnl)
set(DNNL_FOUND OFF)
if(DNNL_INCLUDE_DIR AND DNNL_LIBRARY)
  file(STRINGS ${DNNL_INCLUDE_DIR}/oneapi/dnnl/dnnl_version.h _found
    REGEX "define DNNL_VERSION_MAJOR 2$")
  if(_found)
    set(DNNL_FOUND ON)
    add_library(DNNL::dnnl UNKNOWN IMPORTED)
    set_target_properties(DNNL::dnnl PROPERTIES
      IMPORTED_LOCATION ${DNNL_LIBRARY}
      INTERFACE_INCLUDE_DIRECTORIES ${DNNL_INCLUDE_DIR})
  endif()
endif()
muon_optional("oneDNN 2" DNNL_FOUND
  "bf16 products are converted to f32, on every processor")

find_package(MPI QUIET COMPONENTS C)
muon_optional("MPI" MPI_C_FOUND "ranks are threads of one process")

if(MUON_BUILD_TESTS)
  find_package(GTest QUIET)
  muon_optional("GoogleTest" GTest_FOUND "no unit tests")
  find_program(MUON_LIT NAMES lit-22 lit
    HINTS ${LLVM_TOOLS_BINARY_DIR})
  muon_optional("lit" MUON_LIT "no lit tests")
endif()
if(MUON_BUILD_BENCHMARKS)
  find_package(benchmark QUIET)
  muon_optional("Google Benchmark" benchmark_FOUND "no benchmarks")
endif()
find_program(MUON_LLD NAMES ld.lld-22 ld.lld HINTS ${LLVM_TOOLS_BINARY_DIR})
muon_optional("ld.lld" MUON_LLD
  "muon-compile links artifacts with the system's ld")
find_program(MUON_PTXAS NAMES ptxas HINTS /usr/local/cuda/bin)
muon_optional("ptxas" MUON_PTXAS "no cubins; PTX needs no CUDA")

function(muon_print_summary)
  message(STATUS "muon-mlir ${PROJECT_VERSION}, LLVM ${LLVM_PACKAGE_VERSION}")
  foreach(line IN LISTS MUON_SUMMARY)
    message(STATUS "${line}")
  endforeach()
endfunction()
