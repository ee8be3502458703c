//===- CpuTarget.cpp - The processor an artifact is compiled for -*- C++
//-*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Target/CpuTarget.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"

using namespace llvm;

/// Features of x86 that pay for this code. Others stay off, whatever the
/// processor has, so that the list in the manifest says all that is needed.
static constexpr StringLiteral kX86Features[] = {
    "sse3",     "ssse3",    "sse4.1",   "sse4.2",   "popcnt", "avx",
    "avx2",     "fma",      "f16c",     "bmi",      "bmi2",   "avx512f",
    "avx512cd", "avx512bw", "avx512dq", "avx512vl",
};

/// A target machine without any feature that is not asked for.
static TargetMachine *createMachine(const Target &target, const Triple &triple,
                                    StringRef cpu, StringRef features) {
  return target.createTargetMachine(triple, cpu, features, TargetOptions(),
                                    Reloc::PIC_, std::nullopt,
                                    CodeGenOptLevel::Aggressive);
}

Expected<mlir::muon::CpuTarget> mlir::muon::createCpuTarget(StringRef cpu) {
  InitializeNativeTarget();
  InitializeNativeTargetAsmPrinter();
  Triple triple(sys::getDefaultTargetTriple());
  std::string message;
  const Target *target = TargetRegistry::lookupTarget(triple, message);
  if (!target)
    return createStringError("no code generator for this machine: " + message);

  CpuTarget result;
  result.arch = triple.getArchName().str();
  bool isNative = cpu == "native";
  result.cpu = isNative ? sys::getHostCPUName().str() : cpu.str();

  // Whether the name is known has to be asked of a generic machine: creating
  // one for an unknown name prints to stderr and goes on.
  std::unique_ptr<TargetMachine> generic(
      createMachine(*target, triple, "", ""));
  if (!generic->getMCSubtargetInfo()->isCPUStringValid(result.cpu)) {
    if (!isNative)
      return createStringError("unknown processor '" + cpu +
                               "', expected native or a name that LLVM knows, "
                               "such as x86-64-v3");
    result.cpu = "";
  }
  std::unique_ptr<TargetMachine> wanted(
      createMachine(*target, triple, result.cpu, ""));

  if (triple.isX86()) {
    StringMap<bool> host = sys::getHostCPUFeatures();
    for (StringRef feature : kX86Features) {
      bool has = isNative ? host.lookup(feature)
                          : wanted->getMCSubtargetInfo()->checkFeatures(
                                ("+" + feature).str());
      if (has)
        result.features.push_back(feature.str());
    }
  }
  SmallVector<std::string> enabled;
  for (const std::string &feature : result.features)
    enabled.push_back("+" + feature);
  result.machine.reset(createMachine(
      *target, triple, triple.isX86() ? "x86-64" : "", join(enabled, ",")));
  return result;
}
