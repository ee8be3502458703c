//===- Artifact.cpp - Write an artifact -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Target/Artifact.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "muon-mlir/Dialect/Muon/IR/MuonDialect.h"
#include "muon-mlir/Target/CpuTarget.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"

using namespace mlir;
using namespace mlir::muon;

static constexpr StringLiteral kEntry = "step";

namespace {
/// Code of the kernels of a step: PTX, and maybe a cubin.
struct DeviceCode {
  std::string arch;
  /// Of the PTX ISA, times ten.
  int64_t isa = 0;
  StringRef ptx, cubin;
};
} // namespace

/// The kernels that the last phase left; none if the step has none.
static FailureOr<std::optional<DeviceCode>> findDeviceCode(ModuleOp module) {
  auto binaries = llvm::to_vector(module.getOps<gpu::BinaryOp>());
  if (binaries.empty())
    return std::optional<DeviceCode>();
  gpu::BinaryOp binary = binaries.front();
  if (binaries.size() != 1)
    return binary.emitError("expected one binary");
  DeviceCode code;
  for (auto object : binary.getObjects().getAsRange<gpu::ObjectAttr>()) {
    auto target = dyn_cast<NVVM::NVVMTargetAttr>(object.getTarget());
    bool isPtx = object.getFormat() == gpu::CompilationTarget::Assembly;
    StringRef &text = isPtx ? code.ptx : code.cubin;
    if (!target || !text.empty() ||
        (!isPtx && object.getFormat() != gpu::CompilationTarget::Binary))
      return binary.emitError("expected PTX and at most one cubin");
    code.arch = target.getChip().str();
    text = object.getObject().getValue();
  }
  auto [major, minor] =
      code.ptx.split(".version ").second.split('\n').first.trim().split('.');
  int64_t first, second;
  if (major.getAsInteger(10, first) || minor.getAsInteger(10, second))
    return binary.emitError("expected PTX with a version");
  code.isa = first * 10 + second;
  return std::optional<DeviceCode>(code);
}

/// The manifest with what only the code generator knows.
static FailureOr<std::string>
completeManifest(ModuleOp module, const CpuTarget &target,
                 const std::optional<DeviceCode> &code) {
  auto text = module->getAttrOfType<StringAttr>(MuonDialect::kManifest);
  if (!text)
    return module.emitError("expected '")
           << MuonDialect::kManifest
           << "'; run the phases up to llvm before writing an artifact";
  llvm::Expected<llvm::json::Value> value = llvm::json::parse(text);
  if (!value) {
    return module.emitError("'")
           << MuonDialect::kManifest
           << "' is not JSON: " << llvm::toString(value.takeError());
  }
  llvm::json::Object &manifest = *value->getAsObject();
  manifest["compiler"] =
      "muon-mlir " MUON_VERSION ", LLVM " LLVM_VERSION_STRING;
  manifest["target"] = code ? "cuda" : "cpu";
  if (code) {
    llvm::json::Object &device = *manifest.getObject("device");
    device["arch"] = code->arch;
    device["isa"] = code->isa;
    llvm::json::Array list;
    int64_t offset = 0;
    for (auto [kind, text] : {std::pair<StringRef, StringRef>{"ptx", code->ptx},
                              {"cubin", code->cubin}}) {
      int64_t bytes = text.size();
      if (bytes)
        list.push_back(llvm::json::Object{{"kind", kind},
                                          {"arch", code->arch},
                                          {"offset", offset},
                                          {"bytes", bytes}});
      offset += bytes;
    }
    device["code"] = std::move(list);
  }
  manifest["arch"] = target.arch;
  manifest["cpu"] = target.cpu;
  manifest["features"] = llvm::json::Array(target.features);
  std::string result;
  llvm::raw_string_ostream(result) << *value;
  return result;
}

/// Adds the exported constants `name` and `name`_size.
static void addData(llvm::Module &module, StringRef name, StringRef data) {
  llvm::LLVMContext &context = module.getContext();
  auto add = [&](const Twine &symbol, llvm::Constant *value) {
    new llvm::GlobalVariable(module, value->getType(), /*isConstant=*/true,
                             llvm::GlobalValue::ExternalLinkage, value, symbol);
  };
  add(name,
      llvm::ConstantDataArray::getString(context, data, /*AddNull=*/false));
  add(name + "_size",
      llvm::ConstantInt::get(llvm::Type::getInt64Ty(context), data.size()));
}

static void optimize(llvm::Module &module, const CpuTarget &target) {
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    if (function.getName() != kEntry) {
      function.setLinkage(llvm::GlobalValue::InternalLinkage);
      // Each is called once and long: inlined again, they would make one
      // function whose optimization takes more than linear time.
      function.addFnAttr(llvm::Attribute::NoInline);
    }
    function.addFnAttr("target-cpu", target.machine->getTargetCPU());
    function.addFnAttr("target-features",
                       target.machine->getTargetFeatureString());
    if (!target.cpu.empty())
      function.addFnAttr("tune-cpu", target.cpu);
    // Loops stay loops: an artifact has no C library to call instead.
    function.addFnAttr("no-builtins");
  }

  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager sccs;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(target.machine.get());
  llvm::TargetLibraryInfoImpl library(module.getTargetTriple());
  library.disableAllFunctions();
  functions.registerPass([&] { return llvm::TargetLibraryAnalysis(library); });
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(sccs);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, sccs, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2)
      .run(module, modules);
}

/// Runs the linker, with its output in the error message if it fails.
static LogicalResult link(ModuleOp module, StringRef object, StringRef output) {
  llvm::ErrorOr<std::string> linker =
      llvm::sys::findProgramByName("ld.lld-" + Twine(LLVM_VERSION_MAJOR).str());
  for (StringRef name : {"ld.lld", "ld"})
    if (!linker)
      linker = llvm::sys::findProgramByName(name);
  if (!linker)
    return module.emitError("no linker found in PATH; expected ld.lld-22, "
                            "ld.lld or ld");

  SmallString<128> log;
  if (std::error_code error =
          llvm::sys::fs::createTemporaryFile("muon-link", "log", log))
    return module.emitError("cannot create a temporary file: ")
           << error.message();
  llvm::scope_exit removeLog([&] { llvm::sys::fs::remove(log); });
  StringRef args[] = {*linker, "-shared",     "-z",  "defs",
                      "-z",    "noexecstack", "-s",  "--no-rosegment",
                      "-o",    output,        object};
  SmallVector<StringRef> command(std::begin(args), std::end(args));
  // GNU ld knows no --no-rosegment; it is only about the size of the file.
  if (!llvm::sys::path::filename(*linker).contains("lld"))
    llvm::erase(command, "--no-rosegment");
  std::optional<StringRef> redirects[] = {std::nullopt, StringRef(log),
                                          StringRef(log)};
  std::string message;
  int status = llvm::sys::ExecuteAndWait(*linker, command, std::nullopt,
                                         redirects, 0, 0, &message);
  if (status == 0)
    return success();
  if (auto buffer = llvm::MemoryBuffer::getFile(log))
    message += (*buffer)->getBuffer();
  return module.emitError("the linker failed: ") << StringRef(message).trim();
}

/// Whether code converts from or to f16, which x86 has an instruction for only
/// with F16C.
static bool convertsHalf(const llvm::Module &module) {
  for (const llvm::Function &function : module)
    for (const llvm::Instruction &instruction : llvm::instructions(function))
      if (auto *cast = dyn_cast<llvm::CastInst>(&instruction))
        if (cast->getSrcTy()->getScalarType()->isHalfTy() ||
            cast->getDestTy()->getScalarType()->isHalfTy())
          return true;
  return false;
}

LogicalResult muon::writeArtifact(ModuleOp module, const CpuTarget &target,
                                  StringRef path) {
  FailureOr<std::optional<DeviceCode>> code = findDeviceCode(module);
  if (failed(code))
    return failure();
  FailureOr<std::string> manifest = completeManifest(module, target, *code);
  if (failed(manifest))
    return failure();
  // What the host's code contains of it is data.
  std::string text = *code ? ((*code)->ptx + (*code)->cubin).str() : "";
  for (auto binary : llvm::make_early_inc_range(module.getOps<gpu::BinaryOp>()))
    binary.erase();

  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> llvmModule =
      translateModuleToLLVMIR(module, context);
  if (!llvmModule)
    return module.emitError("translation to LLVM IR failed");
  llvmModule->setTargetTriple(target.machine->getTargetTriple());
  llvmModule->setDataLayout(target.machine->createDataLayout());
  for (StringRef name : {"muon_manifest", "muon_manifest_size",
                         "muon_device_code", "muon_device_code_size"})
    if (llvmModule->getNamedValue(name))
      return module.emitError("'")
             << name << "' is a name that the artifact exports";
  addData(*llvmModule, "muon_manifest", *manifest);
  if (*code)
    addData(*llvmModule, "muon_device_code", text);
  if (target.machine->getTargetTriple().isX86() &&
      !llvm::is_contained(target.features, "f16c") && convertsHalf(*llvmModule))
    return module.emitError("f16 storage needs a processor with F16C, such as "
                            "x86-64-v3; found ")
           << target.cpu;
  optimize(*llvmModule, target);

  SmallString<128> object;
  int descriptor;
  if (std::error_code error = llvm::sys::fs::createTemporaryFile(
          "muon-step", "o", descriptor, object))
    return module.emitError("cannot create a temporary file: ")
           << error.message();
  llvm::scope_exit removeObject([&] { llvm::sys::fs::remove(object); });
  {
    llvm::raw_fd_ostream os(descriptor, /*shouldClose=*/true);
    llvm::legacy::PassManager codegen;
    if (target.machine->addPassesToEmitFile(codegen, os, nullptr,
                                            llvm::CodeGenFileType::ObjectFile))
      return module.emitError("this target cannot emit object files");
    codegen.run(*llvmModule);
    os.close();
    if (os.has_error()) {
      os.clear_error();
      return module.emitError("cannot write ") << object;
    }
  }

  return link(module, object, path);
}

void muon::registerArtifactTranslations(DialectRegistry &registry) {
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registerGPUDialectTranslation(registry);
  registerNVVMDialectTranslation(registry);
}
