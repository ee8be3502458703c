//===- MuonDialect.cpp - The muon dialect -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Dialect/Muon/IR/MuonDialect.h"
#include "mlir/Bytecode/BytecodeImplementation.h"
#include "mlir/Dialect/LLVMIR/LLVMTypes.h"
#include "mlir/Dialect/Shard/IR/ShardOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Transforms/InliningUtils.h"
#include "muon-mlir/Dialect/Muon/IR/Grid.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"

using namespace mlir;
using namespace mlir::muon;

#include "muon-mlir/Dialect/Muon/IR/MuonDialect.cpp.inc"

namespace {

struct MuonDialectVersion : public DialectVersion {
  explicit MuonDialectVersion(uint64_t version) : version(version) {}
  uint64_t version;
};

struct MuonBytecodeInterface : public BytecodeDialectInterface {
  explicit MuonBytecodeInterface(Dialect *dialect)
      : BytecodeDialectInterface(dialect) {}

  void writeVersion(DialectBytecodeWriter &writer) const override {
    writer.writeVarInt(MuonDialect::kBytecodeVersion);
  }

  std::unique_ptr<DialectVersion>
  readVersion(DialectBytecodeReader &reader) const override {
    uint64_t version;
    if (failed(reader.readVarInt(version)))
      return nullptr;
    if (version > MuonDialect::kBytecodeVersion) {
      reader.emitError() << "bytecode of the muon dialect has version "
                         << version << ", expected at most "
                         << MuonDialect::kBytecodeVersion;
      return nullptr;
    }
    return std::make_unique<MuonDialectVersion>(version);
  }
};

} // namespace

uint64_t MuonDialect::getBytecodeVersion(DialectBytecodeReader &reader) {
  FailureOr<const DialectVersion *> version =
      reader.getDialectVersion(getDialectNamespace());
  if (failed(version))
    return kBytecodeVersion;
  return static_cast<const MuonDialectVersion *>(*version)->version;
}

namespace {
/// A step may be put together from functions.
struct MuonInlinerInterface : public DialectInlinerInterface {
  using DialectInlinerInterface::DialectInlinerInterface;

  bool isLegalToInline(Operation *, Region *, bool, IRMapping &) const final {
    return true;
  }
  bool isLegalToInline(Region *, Region *, bool, IRMapping &) const final {
    return true;
  }
};
} // namespace

void MuonDialect::initialize() {
  registerAttributes();
  registerTypes();
  addOperations<
#define GET_OP_LIST
#include "muon-mlir/Dialect/Muon/IR/MuonOps.cpp.inc"
      >();
  addInterfaces<MuonBytecodeInterface, MuonInlinerInterface>();
}

//===----------------------------------------------------------------------===//
// Argument attributes
//===----------------------------------------------------------------------===//

/// Whether all that a kernel's description says is text or a number.
static bool isKernelDescription(Attribute attr) {
  auto kernel = dyn_cast<DictionaryAttr>(attr);
  if (!kernel || !kernel.getAs<StringAttr>("name") ||
      !kernel.getAs<StringAttr>("phase"))
    return false;
  return llvm::all_of(kernel, [](NamedAttribute field) {
    auto number = dyn_cast<IntegerAttr>(field.getValue());
    return isa<StringAttr>(field.getValue()) ||
           (number && number.getType().isInteger(64));
  });
}

/// `muon.rank`: a place in the module's grid. What ranks still have to add up
/// is not a gradient yet.
static LogicalResult verifyRank(Operation *op, Attribute value) {
  auto emit = [&]() -> InFlightDiagnostic {
    return op->emitError() << "'" << MuonDialect::kRank << "' ";
  };
  auto module = dyn_cast<ModuleOp>(op);
  if (!module)
    return emit() << "expected a module";
  FailureOr<shard::GridOp> grid = getGrid(module);
  if (failed(grid))
    return failure();
  auto rank = dyn_cast<IntegerAttr>(value);
  int64_t ranks = 1;
  if (*grid)
    for (int64_t size : (*grid).getShape())
      ranks *= size;
  if (!*grid || !rank || rank.getInt() < 0 || rank.getInt() >= ranks)
    return emit() << "expected the number of a rank of the module's shard.grid"
                  << ", found " << value;
  for (auto function : module.getOps<FunctionOpInterface>()) {
    if (function.isExternal())
      continue;
    for (BlockArgument argument : function.getArguments()) {
      if (!function.getArgAttr(argument.getArgNumber(),
                               MuonDialect::kUnreduced))
        continue;
      for (Operation *user : argument.getUsers()) {
        if (isa<ReduceScatterOp, AllReduceOp, WaitOp, StartCollectiveOp>(user))
          continue;
        InFlightDiagnostic diag =
            user->emitOpError("uses argument #")
            << argument.getArgNumber()
            << ", which is an unreduced gradient; expected a sum over the "
               "ranks first";
        return diag;
      }
    }
  }
  return success();
}

LogicalResult MuonDialect::verifyOperationAttribute(Operation *op,
                                                    NamedAttribute attr) {
  if (attr.getName() == kFrozen) {
    auto names = dyn_cast<ArrayAttr>(attr.getValue());
    if (!names || !llvm::all_of(names, llvm::IsaPred<StringAttr>))
      return op->emitError()
             << "'" << kFrozen << "' expected a list of names, found "
             << attr.getValue();
  }
  auto emit = [&]() -> InFlightDiagnostic {
    return op->emitError() << "'" << attr.getName().getValue() << "' ";
  };
  if (attr.getName() == kManifest && !isa<StringAttr>(attr.getValue()))
    return emit() << "expected a string, found " << attr.getValue();
  if (attr.getName() == kKernels) {
    auto kernels = dyn_cast<ArrayAttr>(attr.getValue());
    if (!kernels || !llvm::all_of(kernels, isKernelDescription))
      return emit() << "expected a list of kernels, each with a name and a "
                       "phase, and numbers of 64 bits";
  }
  auto isList = [](Attribute value, auto isElement) {
    auto list = dyn_cast<ArrayAttr>(value);
    return list && llvm::all_of(list, isElement);
  };
  if (attr.getName() == kPlan &&
      !isList(attr.getValue(), llvm::IsaPred<StringAttr>))
    return emit() << "expected a list of strings, found " << attr.getValue();
  if (attr.getName() == kCollectives &&
      !isList(attr.getValue(), llvm::IsaPred<DictionaryAttr>))
    return emit() << "expected a list of dictionaries, found "
                  << attr.getValue();
  if (attr.getName() == kStrategy && !isa<StringAttr>(attr.getValue()))
    return emit() << "expected a string, found " << attr.getValue();
  if (attr.getName() == kAxes) {
    auto grid = dyn_cast<shard::GridOp>(op);
    if (!grid || !isList(attr.getValue(), llvm::IsaPred<StringAttr>) ||
        cast<ArrayAttr>(attr.getValue()).size() != grid.getShape().size())
      return emit() << "expected a shard.grid with a name for each axis, found "
                    << attr.getValue();
  }
  if (attr.getName() == kRank)
    return verifyRank(op, attr.getValue());
  return success();
}

/// A part of a tensor: the block, or a run of its elements.
static LogicalResult verifyPart(function_ref<InFlightDiagnostic()> emitError,
                                PartAttr part, Type type) {
  std::optional<ParameterShape> shape = getParameterShape(type);
  if (!shape)
    return emitError() << "part " << part << " does not fit type " << type;
  if (!part.getFrom()) {
    if (ArrayRef(shape->shape) == part.getBlock().asArrayRef())
      return success();
    return emitError() << "block " << part << " does not fit type " << type;
  }
  int64_t held = 1;
  for (int64_t size : part.getBlock().asArrayRef())
    held *= size;
  if (shape->elements() > held - part.getFrom().getInt())
    return emitError() << "part " << part << " does not have the elements of "
                       << type;
  return success();
}

/// `muon.names`: one name, row block or part per member.
static LogicalResult verifyNames(Operation *op, unsigned argIndex, Type type,
                                 Attribute value) {
  auto emit = [&]() -> InFlightDiagnostic {
    return op->emitError() << "argument #" << argIndex << ": '"
                           << MuonDialect::kNames << "' ";
  };
  auto names = dyn_cast<ArrayAttr>(value);
  if (!names ||
      !llvm::all_of(names, llvm::IsaPred<StringAttr, RowsAttr, PartAttr>))
    return emit() << "expected a list of names, row blocks and parts, found "
                  << value;
  // A list of sums has one name per parameter and one number per matrix.
  if (isF64List(type))
    return success();
  int64_t members = 1;
  if (std::optional<ParameterShape> shape = getParameterShape(type))
    members = shape->members;
  if (static_cast<int64_t>(names.size()) != members)
    return emit() << "expected " << members << " names for " << type
                  << ", found " << names.size();
  for (Attribute name : names) {
    if (auto part = dyn_cast<PartAttr>(name);
        part && failed(verifyPart(emit, part, type)))
      return failure();
    auto block = dyn_cast<RowsAttr>(name);
    if (!block)
      continue;
    std::optional<ParameterShape> shape = getParameterShape(type);
    if (!shape || shape->shape.size() != 2 ||
        shape->shape[0] != block.getEnd() - block.getBegin())
      return emit() << "row block " << block << " does not fit type " << type;
  }
  return success();
}

LogicalResult MuonDialect::verifyRegionArgAttribute(Operation *op, unsigned,
                                                    unsigned argIndex,
                                                    NamedAttribute attr) {
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function)
    return success();
  Type type = function.getArgumentTypes()[argIndex];
  StringRef name = attr.getName();
  auto emit = [&]() -> InFlightDiagnostic {
    return op->emitError() << "argument #" << argIndex << ": '" << name << "' ";
  };

  if (name == kNames)
    return verifyNames(op, argIndex, type, attr.getValue());
  if (name == kGroup) {
    if (!isa<StringAttr>(attr.getValue()))
      return emit() << "expected a string, found " << attr.getValue();
    return success();
  }
  if (name == kDefault) {
    auto value = dyn_cast<FloatAttr>(attr.getValue());
    if (!value || !value.getValue().isFinite())
      return emit() << "expected a finite number, found " << attr.getValue();
    return success();
  }
  if (name == kSharding) {
    auto sharding = dyn_cast<ShardingAttr>(attr.getValue());
    std::optional<ParameterShape> shape = getParameterShape(type);
    if (!sharding || !shape ||
        sharding.getSplitAxes().size() != shape->shape.size())
      return emit() << "expected a #muon.sharding with a list of axes for each "
                       "dimension of "
                    << type << ", found " << attr.getValue();
    return success();
  }
  if (name == kUnreduced) {
    auto role = function.getArgAttrOfType<RoleAttr>(argIndex, kRole);
    if (!isa<UnreducedAttr>(attr.getValue()) || !role ||
        role.getValue() != Role::Gradient)
      return emit() << "expected a #muon.unreduced of a gradient, found "
                    << attr.getValue();
    return success();
  }
  if (name == kHost) {
    if (!isa<LLVM::LLVMPointerType>(type))
      return emit() << "expected a pointer, found " << type;
    return success();
  }
  if (name != kRole)
    return emit() << "is not an argument attribute of the muon dialect";

  auto roleAttr = dyn_cast<RoleAttr>(attr.getValue());
  if (!roleAttr)
    return emit() << "expected a #muon.role, found " << attr.getValue();
  Role role = roleAttr.getValue();
  DictionaryAttr attrs = function.getArgAttrDict(argIndex);
  bool wantsNames = isTensorRole(role) || isSumsRole(role);
  if (wantsNames && !attrs.contains(kNames))
    return emit() << stringifyRole(role) << " expected '" << kNames << "'";
  bool wantsGroup = isScalarRole(role) && role != Role::ClipLimit;
  if (wantsGroup && !attrs.contains(kGroup))
    return emit() << stringifyRole(role) << " expected '" << kGroup << "'";

  auto expect = [&](bool holds, StringRef expected) -> LogicalResult {
    if (holds)
      return success();
    return emit() << stringifyRole(role) << " expected " << expected
                  << ", found " << type;
  };
  if (isScalarRole(role) || role == Role::Clip)
    return expect(isF32Scalar(type), "tensor<f32>");
  if (isSumsRole(role))
    return expect(isF64List(type), "a static rank-1 tensor of f64");
  if (role == Role::Ok)
    return expect(isFlag(type), "tensor<i1>");
  if (role == Role::Step)
    return expect(isCounter(type), "tensor<i64>");
  // Of any element type: what an optimizer cannot update is frozen by rules.
  bool isStatic = isa<RankedTensorType, MemRefType>(type) &&
                  cast<ShapedType>(type).hasStaticShape();
  return expect(isStatic || isa<StackType, TableType>(type),
                "a tensor or stack with a static shape");
}
