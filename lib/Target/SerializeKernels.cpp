//===- SerializeKernels.cpp - Turn kernels into code -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Target/LLVM/ModuleToObject.h"
#include "muon-mlir/Dialect/Muon/IR/MuonDialect.h"
#include "muon-mlir/Target/Artifact.h"
#include "muon-mlir/Target/Passes.h"
#include "muon-mlir/Target/Ptxas.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

namespace mlir::muon {
#define GEN_PASS_DEF_SERIALIZEKERNELSPASS
#include "muon-mlir/Target/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

static constexpr StringLiteral kTriple = "nvptx64-nvidia-cuda";

namespace {

/// PTX of a module, which needs no other code.
class PtxWriter : public LLVM::ModuleToObject {
public:
  PtxWriter(gpu::GPUModuleOp module, StringRef arch)
      : ModuleToObject(*module, kTriple, arch) {}

protected:
  /// PTX has no tables of shared addresses, which a choice between places in
  /// shared memory would become.
  LogicalResult optimizeModule(llvm::Module &llvmModule, int level) override {
    for (llvm::Function &function : llvmModule)
      function.addFnAttr("no-jump-tables", "true");
    return ModuleToObject::optimizeModule(llvmModule, level);
  }

  FailureOr<SmallVector<char, 0>>
  moduleToObject(llvm::Module &llvmModule) override {
    FailureOr<llvm::TargetMachine *> machine = getOrCreateTargetMachine();
    if (failed(machine))
      return failure();
    FailureOr<SmallString<0>> ptx = translateModuleToISA(
        llvmModule, **machine, [&] { return getOperation().emitError(); });
    if (failed(ptx))
      return failure();
    return SmallVector<char, 0>(ptx->begin(), ptx->end());
  }
};

} // namespace

/// LLVM's code generator for NVIDIA GPUs; all of it is in one library.
static const llvm::Target *getNvptx() {
  LLVMInitializeNVPTXTargetInfo();
  LLVMInitializeNVPTXTarget();
  LLVMInitializeNVPTXTargetMC();
  LLVMInitializeNVPTXAsmPrinter();
  std::string error;
  return llvm::TargetRegistry::lookupTarget(llvm::Triple(kTriple), error);
}

bool muon::isGpuArch(StringRef arch) {
  std::unique_ptr<llvm::MCSubtargetInfo> info(
      getNvptx()->createMCSubtargetInfo(llvm::Triple(kTriple), "", ""));
  return info->isCPUStringValid(arch);
}

namespace {

struct SerializeKernelsPass
    : public muon::impl::SerializeKernelsPassBase<SerializeKernelsPass> {
  using Base::Base;

  void getDependentDialects(DialectRegistry &registry) const override {
    Base::getDependentDialects(registry);
    registerArtifactTranslations(registry);
  }

  void runOnOperation() override {
    auto modules = llvm::to_vector(getOperation().getOps<gpu::GPUModuleOp>());
    for (gpu::GPUModuleOp module : modules)
      if (failed(serialize(module)))
        return signalPassFailure();
  }

private:
  LogicalResult serialize(gpu::GPUModuleOp module) {
    if (!isGpuArch(arch))
      return module.emitError("unknown architecture '") << arch << "'";
    llvm::Expected<std::string> path = findPtxas(ptxas);
    if (!path)
      return module.emitError(llvm::toString(path.takeError()));
    std::optional<SmallVector<char, 0>> ptx = PtxWriter(module, arch).run();
    if (!ptx)
      return module.emitError("cannot make PTX for ") << arch;
    StringRef text(ptx->data(), ptx->size());

    OpBuilder b(module);
    auto target =
        NVVM::NVVMTargetAttr::get(&getContext(), /*optLevel=*/3, kTriple, arch);
    auto getObject = [&](gpu::CompilationTarget format, StringRef code) {
      return gpu::ObjectAttr::get(&getContext(), target, format,
                                  b.getStringAttr(code), /*properties=*/{},
                                  /*kernels=*/{});
    };
    SmallVector<Attribute> objects = {
        getObject(gpu::CompilationTarget::Assembly, text)};
    if (!path->empty()) {
      llvm::Expected<Cubin> cubin = assemblePtx(*path, arch, text);
      if (cubin) {
        objects.push_back(
            getObject(gpu::CompilationTarget::Binary, cubin->code));
        describe(module, cubin->log);
      } else if (ptxas == "auto") {
        // It may be older than the architecture.
        module.emitWarning(llvm::toString(cubin.takeError()))
            << "; the artifact has no cubin";
      } else {
        return module.emitError(llvm::toString(cubin.takeError()));
      }
    }
    gpu::BinaryOp::create(b, module.getLoc(), module.getName(),
                          /*offloadingHandler=*/nullptr,
                          b.getArrayAttr(objects));
    module.erase();
    return success();
  }

  /// Adds what ptxas says to the descriptions of kernels.
  void describe(gpu::GPUModuleOp module, const PtxasLog &log) {
    auto options = remark::RemarkOpts::name("Ptxas").category(getArgument());
    llvm::StringMap<const PtxasLog::Kernel *> known;
    for (const PtxasLog::Kernel &kernel : log.kernels) {
      known[kernel.name] = &kernel;
      if (kernel.spilled)
        remark::missed(module.getLoc(), options)
            << kernel.name + " spills " + std::to_string(kernel.spilled) +
                   " bytes of registers";
    }
    for (const std::string &message : log.messages)
      remark::missed(module.getLoc(), options) << message;

    auto kernels =
        getOperation()->getAttrOfType<ArrayAttr>(MuonDialect::kKernels);
    if (!kernels)
      return;
    Builder b(&getContext());
    SmallVector<Attribute> described;
    for (auto kernel : kernels.getAsRange<DictionaryAttr>()) {
      NamedAttrList fields(kernel);
      if (const PtxasLog::Kernel *info =
              known.lookup(kernel.getAs<StringAttr>("name").getValue())) {
        fields.set("registers", b.getI64IntegerAttr(info->registers));
        fields.set("spilled", b.getI64IntegerAttr(info->spilled));
      }
      described.push_back(fields.getDictionary(&getContext()));
    }
    getOperation()->setAttr(MuonDialect::kKernels, b.getArrayAttr(described));
  }
};

} // namespace
