//===- Compiler.cpp - The C interface of the compiler -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A library lives in somebody else's process: it installs no handlers of
// signals, sets no umask, prints nothing itself, and calls back only in the
// thread that called it.
//
//===----------------------------------------------------------------------===//

#include "muon-mlir-c/Compiler.h"
#include "Build.h"
#include "Diagnostics.h"
#include "Files.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "muon-mlir/Compile/Compile.h"
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h"
#include "muon-mlir/Import/ImportSafetensors.h"
#include "muon-mlir/Import/Rules.h"
#include "muon-mlir/Runtime/Safetensors.h"
#include "muon-mlir/Target/CpuTarget.h"
#include "muon-mlir/Target/Passes.h"
#include "muon-mlir/Tools/InitAll.h"
#include "muon-mlir/Tools/ReadModule.h"
#include "muon-mlir/Tools/Support.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>

using namespace mlir;
using namespace mlir::muon;

struct MuonContext {
  explicit MuonContext(const DialectRegistry &registry)
      : mlir(registry, MLIRContext::Threading::DISABLED), diagnostics(mlir) {}

  MLIRContext mlir;
  capi::Diagnostics diagnostics;
};

struct MuonModule {
  MuonContext *context;
  OwningOpRef<ModuleOp> op;
  /// A pass failed half-way: the IR may be anything.
  bool isBroken = false;
};

//===----------------------------------------------------------------------===//
// Helpers
//===----------------------------------------------------------------------===//

/// Everything that LLVM and MLIR keep for the whole process.
static void initialize() {
  static std::once_flag flag;
  std::call_once(flag, [] {
    ::mlir::muon::registerAllPasses();
    // Targets register themselves on first use, which only one thread may do.
    llvm::consumeError(createCpuTarget("native").takeError());
    (void)isGpuArch("sm_80");
  });
}

/// Runs `body`, a call of the interface, and delivers its diagnostics.
static MuonCompilerStatus call(MuonContext &context,
                               llvm::function_ref<MuonCompilerStatus()> body) {
  context.diagnostics.begin();
  MuonCompilerStatus status = MUON_COMPILER_INTERNAL;
  runWithLargeStack([&] {
    status = body();
    return 0;
  });
  context.diagnostics.deliver();
  return status;
}

static MuonCompilerStatus fail(MuonContext &context, MuonCompilerStatus status,
                               const Twine &message) {
  context.diagnostics.addError(message);
  return status;
}

static MuonCompilerStatus fail(MuonContext &context, MuonCompilerStatus status,
                               llvm::Error error) {
  return fail(context, status, llvm::toString(std::move(error)));
}

static MuonCompilerStatus outOfMemory(MuonContext &context) {
  return fail(context, MUON_COMPILER_OUT_OF_MEMORY, "out of memory");
}

/// Whether none of `pointers` is null; if one is, that is the diagnostic.
static bool checkPointers(
    MuonContext &context,
    std::initializer_list<std::pair<const void *, const char *>> pointers) {
  for (auto [pointer, name] : pointers)
    if (!pointer) {
      fail(context, MUON_COMPILER_INVALID_ARGUMENT,
           Twine(name) + ": expected a pointer, found null");
      return false;
    }
  return true;
}

/// Whether passes may see the module.
static bool checkUsable(MuonModule &module) {
  if (!module.isBroken)
    return true;
  fail(*module.context, MUON_COMPILER_INVALID_ARGUMENT,
       "a pass failed on this module before; it can only be printed and "
       "destroyed");
  return false;
}

static MuonCompilerStatus makeModule(MuonContext &context,
                                     OwningOpRef<ModuleOp> op,
                                     MuonModule **result) {
  auto *module = new (std::nothrow) MuonModule{&context, std::move(op)};
  if (!module)
    return outOfMemory(context);
  *result = module;
  return MUON_COMPILER_OK;
}

static MuonCompilerStatus makeString(MuonContext &context, StringRef text,
                                     MuonString &result) {
  auto *data = static_cast<char *>(std::malloc(text.size() + 1));
  if (!data)
    return outOfMemory(context);
  std::memcpy(data, text.data(), text.size());
  data[text.size()] = 0;
  result = {data, text.size()};
  return MUON_COMPILER_OK;
}

//===----------------------------------------------------------------------===//
// Library, strings and contexts
//===----------------------------------------------------------------------===//

uint32_t muonCompilerApiVersion() {
  return MUON_COMPILER_API_MAJOR << 16 | MUON_COMPILER_API_MINOR;
}

const char *muonCompilerBuild() {
  static const std::string build = capi::describeBuild();
  return build.c_str();
}

void muonStringDestroy(MuonString string) { std::free(string.data); }

MuonCompilerStatus muonContextCreate(MuonContext **context) {
  if (!context)
    return MUON_COMPILER_INVALID_ARGUMENT;
  initialize();
  DialectRegistry registry;
  registerCompilerDialects(registry);
  auto *created = new (std::nothrow) MuonContext(registry);
  if (!created)
    return MUON_COMPILER_OUT_OF_MEMORY;
  // A module would be printed whole.
  created->mlir.printOpOnDiagnostic(false);
  *context = created;
  return MUON_COMPILER_OK;
}

void muonContextDestroy(MuonContext *context) { delete context; }

void muonContextSetHandler(MuonContext *context, MuonDiagnosticHandler handler,
                           void *user) {
  if (context)
    context->diagnostics.setHandler(handler, user);
}

const char *muonContextErrors(const MuonContext *context) {
  return context ? context->diagnostics.getErrors() : "";
}

//===----------------------------------------------------------------------===//
// Modules from elsewhere
//===----------------------------------------------------------------------===//

MuonCompilerStatus muonModuleParse(MuonContext *context, const char *data,
                                   size_t size, const char *name,
                                   MuonModule **module) {
  if (!context)
    return MUON_COMPILER_INVALID_ARGUMENT;
  return call(*context, [&] {
    if (!checkPointers(*context, {{data, "data"}, {module, "module"}}))
      return MUON_COMPILER_INVALID_ARGUMENT;
    if (size > Limits().inputBytes)
      return fail(*context, MUON_COMPILER_INVALID_INPUT,
                  "expected at most " + Twine(Limits().inputBytes) +
                      " bytes, found " + Twine(size));
    // Bytecode asks for alignment, counted from its begin.
    auto buffer = llvm::WritableMemoryBuffer::getNewUninitMemBuffer(
        size, name ? name : "", llvm::Align(4096));
    if (!buffer)
      return outOfMemory(*context);
    std::memcpy(buffer->getBufferStart(), data, size);
    llvm::SourceMgr sourceMgr;
    sourceMgr.AddNewSourceBuffer(std::move(buffer), llvm::SMLoc());
    OwningOpRef<ModuleOp> op = readModule(sourceMgr, context->mlir);
    if (!op)
      return MUON_COMPILER_INVALID_INPUT;
    return makeModule(*context, std::move(op), module);
  });
}

/// The tensors of the interface as those of a file.
static llvm::Expected<std::vector<::muon::TensorInfo>>
getTensors(llvm::ArrayRef<MuonTensorDescription> descriptions) {
  auto fail = [](size_t index, const Twine &message) {
    return llvm::createStringError("tensor #" + Twine(index) + ": " + message);
  };
  std::vector<::muon::TensorInfo> tensors;
  llvm::StringSet<> names;
  for (auto [index, description] : llvm::enumerate(descriptions)) {
    if (!description.name || !description.type ||
        (description.rank && !description.shape))
      return fail(index, "expected a name, a type and a shape, found null");
    ::muon::TensorInfo &tensor = tensors.emplace_back();
    tensor.name = description.name;
    // Names become a part of the manifest, which is JSON.
    if (tensor.name.empty() || !llvm::json::isUTF8(tensor.name))
      return fail(index, "expected a name in UTF-8, not empty");
    if (!names.insert(tensor.name).second)
      return fail(index, "'" + tensor.name + "' is the name of two tensors");
    StringRef type = description.type;
    std::optional<::muon::DType> dtype =
        ::muon::parseDType(type == "f32"    ? "F32"
                           : type == "bf16" ? "BF16"
                           : type == "f16"  ? "F16"
                                            : description.type);
    if (!dtype)
      return fail(index, "'" + tensor.name +
                             "': expected the type f32, bf16, f16, or one as "
                             "safetensors calls it, found '" +
                             type + "'");
    tensor.dtype = *dtype;
    if (description.rank > ::muon::SafetensorsFile::maxRank)
      return fail(index, "'" + tensor.name + "': expected at most " +
                             Twine(::muon::SafetensorsFile::maxRank) +
                             " dimensions, found " + Twine(description.rank));
    tensor.shape.assign(description.shape,
                        description.shape + description.rank);
    for (int64_t size : tensor.shape)
      if (size < 0)
        return fail(index, "'" + tensor.name +
                               "': expected sizes from 0 on, found " +
                               Twine(size));
  }
  return tensors;
}

/// Imports with `import` by `rulesText`, and decides about each tensor.
static MuonCompilerStatus importModule(
    MuonContext &context, const char *rulesText, MuonModule **module,
    llvm::function_ref<llvm::Expected<OwningOpRef<ModuleOp>>(rules::Rules &)>
        import) {
  StringRef text = rulesText ? rulesText : "{}";
  llvm::Expected<rules::Rules> rules = rules::Rules::parse(text, "rules");
  if (!rules)
    return fail(context, MUON_COMPILER_INVALID_INPUT, rules.takeError());
  context.mlir.getOrLoadDialect("muon");
  context.mlir.getOrLoadDialect("func");
  llvm::Expected<OwningOpRef<ModuleOp>> op = import(*rules);
  if (!op)
    return fail(context, MUON_COMPILER_INVALID_INPUT, op.takeError());
  if (failed(checkLimits(**op)))
    return MUON_COMPILER_INVALID_INPUT;

  // The pass wants a file.
  capi::TextFile file(text);
  if (file.getPath().empty())
    return fail(context, MUON_COMPILER_IO, "rules: cannot make a file of them");
  context.diagnostics.replaceInMessages(file.getPath(), "rules");
  AssignOptimizersPassOptions assign;
  assign.rules = file.getPath().str();
  PassManager pm(&context.mlir);
  pm.addPass(createAssignOptimizersPass(assign));
  pm.addPass(createStackUpdatesPass());
  if (failed(pm.run(**op)))
    return MUON_COMPILER_INVALID_INPUT;
  return makeModule(context, std::move(*op), module);
}

MuonCompilerStatus muonModuleFromTensors(MuonContext *context,
                                         const MuonTensorDescription *tensors,
                                         size_t count, const char *rules,
                                         MuonModule **module) {
  if (!context)
    return MUON_COMPILER_INVALID_ARGUMENT;
  return call(*context, [&] {
    if (!checkPointers(*context, {{tensors, "tensors"}, {module, "module"}}))
      return MUON_COMPILER_INVALID_ARGUMENT;
    if (count == 0)
      return fail(*context, MUON_COMPILER_INVALID_ARGUMENT,
                  "expected at least one tensor, found none");
    auto infos = getTensors({tensors, count});
    if (!infos)
      return fail(*context, MUON_COMPILER_INVALID_ARGUMENT, infos.takeError());
    return importModule(*context, rules, module, [&](rules::Rules &parsed) {
      return importTensors(context->mlir, /*source=*/"", *infos, parsed);
    });
  });
}

MuonCompilerStatus muonModuleFromSafetensors(MuonContext *context,
                                             const char *path,
                                             const char *rules,
                                             MuonModule **module) {
  if (!context)
    return MUON_COMPILER_INVALID_ARGUMENT;
  return call(*context, [&] {
    if (!checkPointers(*context, {{path, "path"}, {module, "module"}}))
      return MUON_COMPILER_INVALID_ARGUMENT;
    if (llvm::Error error = capi::checkReadable(path))
      return fail(*context, MUON_COMPILER_IO, std::move(error));
    return importModule(*context, rules, module, [&](rules::Rules &parsed) {
      return importSafetensors(context->mlir, path, parsed);
    });
  });
}

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

MuonCompilerStatus muonModuleClone(MuonModule *module, MuonModule **clone) {
  if (!module)
    return MUON_COMPILER_INVALID_ARGUMENT;
  MuonContext &context = *module->context;
  return call(context, [&] {
    if (!checkPointers(context, {{clone, "clone"}}) || !checkUsable(*module))
      return MUON_COMPILER_INVALID_ARGUMENT;
    return makeModule(context, module->op->clone(), clone);
  });
}

void muonModuleDestroy(MuonModule *module) { delete module; }

MuonCompilerStatus muonModuleVerify(MuonModule *module) {
  if (!module)
    return MUON_COMPILER_INVALID_ARGUMENT;
  return call(*module->context, [&] {
    if (!checkUsable(*module))
      return MUON_COMPILER_INVALID_ARGUMENT;
    return succeeded(verify(*module->op)) ? MUON_COMPILER_OK
                                          : MUON_COMPILER_INVALID_INPUT;
  });
}

MuonCompilerStatus muonModulePrint(MuonModule *module, int locations,
                                   MuonString *text) {
  if (!module)
    return MUON_COMPILER_INVALID_ARGUMENT;
  MuonContext &context = *module->context;
  return call(context, [&] {
    if (!checkPointers(context, {{text, "text"}}))
      return MUON_COMPILER_INVALID_ARGUMENT;
    std::string printed;
    llvm::raw_string_ostream os(printed);
    module->op->print(os, OpPrintingFlags().enableDebugInfo(locations != 0));
    return makeString(context, printed, *text);
  });
}

MuonCompilerStatus muonModuleRunPasses(MuonModule *module,
                                       const char *pipeline) {
  if (!module)
    return MUON_COMPILER_INVALID_ARGUMENT;
  MuonContext &context = *module->context;
  return call(context, [&] {
    if (!checkPointers(context, {{pipeline, "pipeline"}}) ||
        !checkUsable(*module))
      return MUON_COMPILER_INVALID_ARGUMENT;
    std::string message;
    llvm::raw_string_ostream os(message);
    FailureOr<OpPassManager> parsed = parsePassPipeline(pipeline, os);
    if (failed(parsed))
      return fail(context, MUON_COMPILER_INVALID_ARGUMENT,
                  "pipeline: " + StringRef(message).trim());
    StringRef anchor = parsed->getOpAnchorName();
    if (anchor != ModuleOp::getOperationName() &&
        anchor != OpPassManager::getAnyOpAnchorName())
      return fail(context, MUON_COMPILER_INVALID_ARGUMENT,
                  "pipeline: expected passes of a builtin.module, found those "
                  "of '" +
                      anchor + "'");
    PassManager pm(&context.mlir);
    static_cast<OpPassManager &>(pm) = std::move(*parsed);
    if (succeeded(pm.run(*module->op)))
      return MUON_COMPILER_OK;
    module->isBroken = true;
    return MUON_COMPILER_FAILED;
  });
}

//===----------------------------------------------------------------------===//
// Compilation
//===----------------------------------------------------------------------===//

static CompileOptions getOptions(const MuonCompileOptions *given) {
  CompileOptions options;
  if (!given)
    return options;
  auto set = [](auto &member, const char *value) {
    if (value)
      member = value;
  };
  set(options.target, given->target);
  set(options.cpu, given->cpu);
  set(options.ptxas, given->ptxas);
  set(options.chip, given->chip);
  options.scratchLimit = given->scratch_limit;
  set(options.grid, given->grid);
  if (given->rank != -1)
    options.rank = given->rank;
  set(options.topology, given->topology);
  return options;
}

/// Makes the rank of `options` that of the module, where there is no choice.
static llvm::Error chooseRank(ModuleOp module, CompileOptions &options) {
  llvm::Expected<int64_t> ranks = countRanks(module, options);
  if (!ranks)
    return ranks.takeError();
  if (*ranks > 1 && !options.rank)
    return llvm::createStringError("rank expected 0 to " + Twine(*ranks - 1) +
                                   ", for a step of " + Twine(*ranks) +
                                   " ranks; found none");
  if (*ranks == 1)
    options.rank = 0;
  return llvm::Error::success();
}

static MuonCompilerStatus compile(MuonModule &module, CompileOptions options,
                                  StringRef path, MuonString *report) {
  MuonContext &context = *module.context;
  if (llvm::Error error = checkOptions(options))
    return fail(context, MUON_COMPILER_INVALID_ARGUMENT, std::move(error));
  if (llvm::Error error = chooseRank(*module.op, options))
    return fail(context, MUON_COMPILER_INVALID_ARGUMENT, std::move(error));
  if (options.topology)
    if (llvm::Error error = capi::checkReadable(*options.topology))
      return fail(context, MUON_COMPILER_IO, std::move(error));
  llvm::Expected<CpuTarget> target = createCpuTarget(options.cpu);
  if (!target)
    return fail(context, MUON_COMPILER_INVALID_ARGUMENT, target.takeError());

  llvm::Expected<capi::NewFile> file = capi::NewFile::create(path);
  if (!file)
    return fail(context, MUON_COMPILER_IO, file.takeError());
  OwningOpRef<ModuleOp> copy = module.op->clone();
  StepReport facts = createReport(options);
  if (failed(compileStep(*copy, options, *target, file->getTemporaryPath(),
                         report ? &facts : nullptr)))
    return MUON_COMPILER_FAILED;
  MuonString text = {};
  if (report) {
    std::string json;
    llvm::raw_string_ostream os(json);
    printReportJson(facts, os);
    if (makeString(context, json, text) != MUON_COMPILER_OK)
      return MUON_COMPILER_OUT_OF_MEMORY;
  }
  if (llvm::Error error = file->commit()) {
    muonStringDestroy(text);
    return fail(context, MUON_COMPILER_IO, std::move(error));
  }
  if (report)
    *report = text;
  return MUON_COMPILER_OK;
}

MuonCompilerStatus muonModuleCompile(MuonModule *module,
                                     const MuonCompileOptions *options,
                                     const char *path, MuonString *report) {
  if (!module)
    return MUON_COMPILER_INVALID_ARGUMENT;
  MuonContext &context = *module->context;
  return call(context, [&] {
    if (!checkPointers(context, {{path, "path"}}) || !checkUsable(*module))
      return MUON_COMPILER_INVALID_ARGUMENT;
    if (options && options->struct_size != sizeof(MuonCompileOptions))
      return fail(context, MUON_COMPILER_INVALID_ARGUMENT,
                  "options: expected struct_size " +
                      Twine(sizeof(MuonCompileOptions)) +
                      ", as MUON_COMPILE_OPTIONS_INIT sets it, found " +
                      Twine(options->struct_size));
    return compile(*module, getOptions(options), path, report);
  });
}
