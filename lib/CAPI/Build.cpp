//===- Build.cpp - Which build of the compiler this is -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Build.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/TargetParser/Host.h"
#include <cstring>
#include <elf.h>
#include <link.h>

using namespace mlir::muon::capi;

namespace {
struct Search {
  uintptr_t address;
  std::string buildId;
};
} // namespace

/// The id in the notes of one segment; empty if it has none.
static std::string findBuildId(const char *notes, size_t size) {
  while (size >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) note;
    std::memcpy(&note, notes, sizeof(note));
    size_t name = sizeof(note);
    size_t id = name + llvm::alignTo(note.n_namesz, 4);
    size_t next = id + llvm::alignTo(note.n_descsz, 4);
    if (id + note.n_descsz > size)
      return "";
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
        std::memcmp(notes + name, "GNU", 4) == 0)
      return llvm::toHex(llvm::StringRef(notes + id, note.n_descsz),
                         /*LowerCase=*/true);
    if (next >= size)
      return "";
    notes += next;
    size -= next;
  }
  return "";
}

static int visit(dl_phdr_info *object, size_t, void *data) {
  auto &search = *static_cast<Search *>(data);
  bool isWanted = false;
  std::string buildId;
  for (size_t i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr) &segment = object->dlpi_phdr[i];
    uintptr_t begin = object->dlpi_addr + segment.p_vaddr;
    if (segment.p_type == PT_LOAD && search.address >= begin &&
        search.address - begin < segment.p_memsz)
      isWanted = true;
    if (segment.p_type == PT_NOTE && buildId.empty())
      buildId =
          findBuildId(reinterpret_cast<const char *>(begin), segment.p_memsz);
  }
  if (!isWanted)
    return 0;
  search.buildId = buildId;
  return 1;
}

/// The build id of the shared library with that function.
template <typename Function>
static std::string getBuildId(Function *function) {
  Search search = {reinterpret_cast<uintptr_t>(function), ""};
  dl_iterate_phdr(visit, &search);
  return search.buildId.empty() ? "none" : search.buildId;
}

std::string mlir::muon::capi::describeBuild() {
  return "muon-mlir " MUON_VERSION ", LLVM " LLVM_VERSION_STRING ", build " +
         getBuildId(&describeBuild) + " with " +
         getBuildId(&mlir::registerMLIRContextCLOptions) + " and " +
         getBuildId(&llvm::sys::getDefaultTargetTriple);
}
