//===- LowerEntry.cpp - Signature of the artifact's ABI -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Shard/IR/ShardOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/SymbolTable.h"
#include "muon-mlir/Conversion/Passes.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "muon-mlir/Runtime/HostApi.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/JSON.h"

namespace mlir::muon {
#define GEN_PASS_DEF_LOWERENTRYPASS
#include "muon-mlir/Conversion/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

//===----------------------------------------------------------------------===//
// Manifest
//===----------------------------------------------------------------------===//

/// The name of an element type in the manifest.
static std::string getTypeName(Type type) {
  std::string name;
  llvm::raw_string_ostream(name) << type;
  return name;
}

namespace {

/// Builds the manifest (docs/artifact.md) while arguments become slots.
class ManifestBuilder {
public:
  explicit ManifestBuilder(func::FuncOp step) : step(step) {}

  /// Describes argument `index`, which starts at slot `slot`.
  LogicalResult addArgument(unsigned index, int64_t slot);

  llvm::json::Object finish(int64_t numSlots, int64_t arenaBytes);

private:
  InFlightDiagnostic emitError(unsigned index) {
    return step.emitOpError("argument #") << index << " ";
  }
  LogicalResult addUnique(unsigned index, const Twine &key);
  LogicalResult addNames(unsigned index, Role role, ArrayAttr names);

  func::FuncOp step;
  llvm::json::Array arguments, params;
  DenseMap<Attribute, int64_t> paramIds;
  llvm::StringSet<> seen;
};

} // namespace

LogicalResult ManifestBuilder::addUnique(unsigned index, const Twine &key) {
  if (seen.insert(key.str()).second)
    return success();
  return emitError(index) << "is the second one for " << key.str();
}

static llvm::json::Array getList(DenseI64ArrayAttr list) {
  return llvm::json::Array(list.asArrayRef());
}

/// A block of a tensor, or a run of elements of it or of a block.
static llvm::json::Object describePart(PartAttr part) {
  llvm::json::Object member{{"tensor", part.getTensor().str()},
                            {"of", getList(part.getShape())}};
  bool isWhole = part.getBlock() == part.getShape();
  if (!part.getFrom() || !isWhole)
    member["offset"] = getList(part.getOffset());
  if (part.getFrom()) {
    member["from"] = part.getFrom().getInt();
    if (!isWhole)
      member["block"] = getList(part.getBlock());
  }
  return member;
}

/// The manifest's `distribution`; null if the step is not one of several ranks.
static llvm::json::Value describeDistribution(ModuleOp module) {
  auto rank = module->getAttrOfType<IntegerAttr>(MuonDialect::kRank);
  if (!rank)
    return nullptr;
  llvm::json::Array grid, plan, collectives;
  shard::GridOp axes = *module.getOps<shard::GridOp>().begin();
  auto names = axes->getAttrOfType<ArrayAttr>(MuonDialect::kAxes);
  for (auto [index, size] : llvm::enumerate(axes.getShape()))
    grid.push_back(llvm::json::Array{names
                                         ? cast<StringAttr>(names[index]).str()
                                         : ("axis" + Twine(index)).str(),
                                     size});
  if (auto lines = module->getAttrOfType<ArrayAttr>(MuonDialect::kPlan))
    for (StringAttr line : lines.getAsRange<StringAttr>())
      plan.push_back(line.str());
  auto list = module->getAttrOfType<ArrayAttr>(MuonDialect::kCollectives);
  for (auto fields : list ? list.getAsRange<DictionaryAttr>()
                          : ArrayAttr::get(module.getContext(), {})
                                .getAsRange<DictionaryAttr>()) {
    llvm::json::Object object;
    for (StringRef key : {"kind", "name", "type", "reduction"})
      if (auto text = fields.getAs<StringAttr>(key))
        object[key] = text.str();
    object["group"] = getList(fields.getAs<DenseI64ArrayAttr>("group"));
    llvm::json::Array segments;
    for (auto [elements, from, to] : llvm::zip_equal(
             fields.getAs<DenseI64ArrayAttr>("elements").asArrayRef(),
             fields.getAs<DenseI64ArrayAttr>("from").asArrayRef(),
             fields.getAs<DenseI64ArrayAttr>("to").asArrayRef()))
      segments.push_back(llvm::json::Array{elements, from, to});
    object["segments"] = std::move(segments);
    for (StringRef key : {"send", "receive"}) {
      llvm::json::Array operands;
      for (auto operand :
           fields.getAs<ArrayAttr>(key).getAsRange<DictionaryAttr>())
        operands.push_back(llvm::json::Object{
            {"table", operand.getAs<BoolAttr>("table").getValue()},
            {"segments",
             getList(operand.getAs<DenseI64ArrayAttr>("segments"))}});
      object[key] = std::move(operands);
    }
    collectives.push_back(std::move(object));
  }
  return llvm::json::Object{{"grid", std::move(grid)},
                            {"rank", rank.getInt()},
                            {"plan", std::move(plan)},
                            {"collectives", std::move(collectives)}};
}

LogicalResult ManifestBuilder::addNames(unsigned index, Role role,
                                        ArrayAttr names) {
  for (Attribute name : names) {
    std::string key = (stringifyRole(role) + " '").str();
    if (auto rows = dyn_cast<RowsAttr>(name))
      key += (rows.getTensor().getValue() + "' row " + Twine(rows.getBegin()))
                 .str();
    else if (auto part = dyn_cast<PartAttr>(name))
      llvm::raw_string_ostream(key) << part;
    else
      key += (cast<StringAttr>(name).getValue() + "'").str();
    if (failed(addUnique(index, key)))
      return failure();
  }
  auto [entry, isNew] = paramIds.try_emplace(names, params.size());
  if (!isNew)
    return success();
  llvm::json::Array members;
  for (Attribute name : names) {
    if (auto rows = dyn_cast<RowsAttr>(name))
      members.push_back(llvm::json::Object{{"tensor", rows.getTensor().str()},
                                           {"begin", rows.getBegin()},
                                           {"end", rows.getEnd()},
                                           {"rows", rows.getRows()}});
    else if (auto part = dyn_cast<PartAttr>(name))
      members.push_back(describePart(part));
    else
      members.push_back(cast<StringAttr>(name).str());
  }
  params.push_back(std::move(members));
  return success();
}

LogicalResult ManifestBuilder::addArgument(unsigned index, int64_t slot) {
  auto roleAttr = step.getArgAttrOfType<RoleAttr>(index, MuonDialect::kRole);
  if (!roleAttr)
    return emitError(index) << "expected '" << MuonDialect::kRole
                            << "', so that the runtime knows what to bind";
  Role role = roleAttr.getValue();
  Type type = step.getArgumentTypes()[index];
  std::optional<ParameterShape> known = getParameterShape(type);
  if (!known)
    return emitError(index)
           << "expected a contiguous, non-empty shape, found " << type;
  const ParameterShape &shape = *known;
  llvm::json::Object argument{{"role", stringifyRole(role).str()},
                              {"type", getTypeName(shape.elementType)},
                              {"shape", llvm::json::Array(shape.shape)},
                              {"slot", slot}};

  auto names = step.getArgAttrOfType<ArrayAttr>(index, MuonDialect::kNames);
  // To the runtime, matrices of a batch are a run of elements.
  if (auto part =
          names && !names.empty() ? dyn_cast<PartAttr>(names[0]) : PartAttr();
      part && part.getFrom())
    argument["shape"] = llvm::json::Array{shape.elements()};
  auto group = step.getArgAttrOfType<StringAttr>(index, MuonDialect::kGroup);
  if (names) {
    if (failed(addNames(index, role, names)))
      return failure();
    argument["params"] = paramIds.lookup(names);
  } else if (failed(addUnique(index, group
                                         ? stringifyRole(role) + " of group '" +
                                               group.getValue() + "'"
                                         : Twine(stringifyRole(role))))) {
    return failure();
  }
  if (group)
    argument["group"] = group.str();
  if (auto value =
          step.getArgAttrOfType<FloatAttr>(index, MuonDialect::kDefault))
    argument["default"] = value.getValueAsDouble();
  arguments.push_back(std::move(argument));
  return success();
}

llvm::json::Object ManifestBuilder::finish(int64_t numSlots,
                                           int64_t arenaBytes) {
  llvm::json::Array frozen;
  auto module = step->getParentOfType<ModuleOp>();
  if (auto names = module->getAttrOfType<ArrayAttr>(MuonDialect::kFrozen))
    for (StringAttr name : names.getAsRange<StringAttr>())
      frozen.push_back(name.str());
  llvm::json::Object manifest{
      {"format", "muon-artifact"},
      {"version", MUON_MANIFEST_VERSION},
      {"host_api", MUON_HOST_API_VERSION},
      {"arena", llvm::json::Object{{"bytes", arenaBytes}, {"alignment", 64}}},
      {"slots", numSlots},
      {"frozen", std::move(frozen)},
      {"params", std::move(params)},
      {"arguments", std::move(arguments)}};
  if (llvm::json::Value distribution = describeDistribution(module);
      distribution.getAsObject())
    manifest["distribution"] = std::move(distribution);
  auto kernels = module->getAttrOfType<ArrayAttr>(MuonDialect::kKernels);
  if (!kernels)
    return manifest;
  llvm::json::Array list;
  for (auto kernel : kernels.getAsRange<DictionaryAttr>()) {
    llvm::json::Object object;
    for (StringRef key : {"name", "phase"})
      if (auto text = kernel.getAs<StringAttr>(key))
        object[key] = text.str();
    for (StringRef key : {"threads", "shared", "registers"})
      if (auto number = kernel.getAs<IntegerAttr>(key))
        object[key] = number.getInt();
    list.push_back(std::move(object));
  }
  // Kernels access 16 bytes at a time.
  manifest["device"] =
      llvm::json::Object{{"alignment", 16}, {"kernels", std::move(list)}};
  return manifest;
}

namespace {

struct LowerEntryPass : public muon::impl::LowerEntryPassBase<LowerEntryPass> {
  using Base::Base;

  void runOnOperation() override {
    auto step = getOperation().lookupSymbol<func::FuncOp>("step");
    if (!step || step.isExternal()) {
      getOperation().emitError("expected a function 'step' with a body");
      return signalPassFailure();
    }
    if (!step.isPublic() || !step.getBody().hasOneBlock()) {
      step.emitOpError("expected a public function of one block");
      return signalPassFailure();
    }
    if (!llvm::all_of(step.getArgumentTypes(), isBuffer)) {
      step.emitOpError("expected memrefs and tables as arguments; bufferize "
                       "first");
      return signalPassFailure();
    }
    if (failed(lower(step)))
      return signalPassFailure();
    passHost(step);
  }

  /// Gives the host's table to every function that calls the host, directly or
  /// through others.
  void passHost(func::FuncOp step) {
    SymbolTable symbols(getOperation());
    llvm::SetVector<func::FuncOp> needsHost;
    DenseMap<Operation *, SmallVector<func::CallOp>> calls;
    getOperation().walk([&](Operation *op) {
      if (isa<HostCallOp, ParallelCallOp>(op))
        needsHost.insert(op->getParentOfType<func::FuncOp>());
      if (auto call = dyn_cast<func::CallOp>(op))
        calls[symbols.lookup(call.getCallee())].push_back(call);
    });
    Type pointer = LLVM::LLVMPointerType::get(&getContext());
    for (size_t i = 0; i < needsHost.size(); ++i) {
      func::FuncOp function = needsHost[i];
      if (function == step)
        continue;
      unsigned last = function.getNumArguments();
      (void)function.insertArgument(
          last, pointer,
          DictionaryAttr::get(
              &getContext(),
              NamedAttribute(StringAttr::get(&getContext(), MuonDialect::kHost),
                             UnitAttr::get(&getContext()))),
          function.getLoc());
      for (func::CallOp call : calls.lookup(function))
        needsHost.insert(call->getParentOfType<func::FuncOp>());
    }
    // Only now: callers that need the host have it as an argument.
    for (func::FuncOp function : needsHost)
      for (func::CallOp call : calls.lookup(function)) {
        auto caller = call->getParentOfType<func::FuncOp>();
        Value host = caller == step ? caller.getArgument(0)
                                    : caller.getArguments().back();
        call.getOperandsMutable().append(host);
      }
  }

  LogicalResult lower(func::FuncOp step) {
    MLIRContext *context = step.getContext();
    Block &block = step.getBody().front();
    OpBuilder builder = OpBuilder::atBlockBegin(&block);
    ManifestBuilder manifest(step);
    int64_t slot = 0;
    for (BlockArgument argument : block.getArguments()) {
      if (failed(manifest.addArgument(argument.getArgNumber(), slot)))
        return failure();
      Value bound =
          SlotOp::create(builder, argument.getLoc(), argument.getType(), slot);
      argument.replaceAllUsesWith(bound);
      slot += getParameterShape(argument.getType())->members;
    }
    block.eraseArguments(0, block.getNumArguments());

    Type pointer = LLVM::LLVMPointerType::get(context);
    Type status = builder.getI32Type();
    for (int i = 0; i < 3; ++i)
      block.addArgument(pointer, step.getLoc());
    // Every result is an argument updated in place; the caller has it.
    auto ret = cast<func::ReturnOp>(block.getTerminator());
    builder.setInsertionPoint(ret);
    Value zero = arith::ConstantIntOp::create(builder, ret.getLoc(), 0, 32);
    func::ReturnOp::create(builder, ret.getLoc(), zero);
    ret.erase();

    step.removeArgAttrsAttr();
    step.removeResAttrsAttr();
    step.setType(
        FunctionType::get(context, {pointer, pointer, pointer}, status));
    step->setAttr(MuonDialect::kEntry, builder.getUnitAttr());

    int64_t arenaBytes = 0;
    getOperation().walk([&](ArenaOp op) {
      arenaBytes =
          std::max(arenaBytes, cast<MemRefType>(op.getType()).getNumElements());
    });
    std::string text;
    llvm::raw_string_ostream(text)
        << llvm::json::Value(manifest.finish(slot, arenaBytes));
    getOperation()->setAttr(MuonDialect::kManifest,
                            builder.getStringAttr(text));
    // The manifest has it now.
    if (getOperation()->removeAttr(MuonDialect::kRank)) {
      for (auto grid :
           llvm::make_early_inc_range(getOperation().getOps<shard::GridOp>()))
        grid.erase();
      getOperation()->removeAttr(MuonDialect::kPlan);
      getOperation()->removeAttr(MuonDialect::kCollectives);
    }
    return success();
  }
};

} // namespace
