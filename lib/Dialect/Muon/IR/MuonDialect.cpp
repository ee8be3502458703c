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
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
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

void MuonDialect::initialize() {
  registerAttributes();
  registerTypes();
  addOperations<
#define GET_OP_LIST
#include "muon-mlir/Dialect/Muon/IR/MuonOps.cpp.inc"
      >();
  addInterfaces<MuonBytecodeInterface>();
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
  return success();
}

/// `muon.names`: one name or row block per member.
static LogicalResult verifyNames(Operation *op, unsigned argIndex, Type type,
                                 Attribute value) {
  auto emit = [&]() -> InFlightDiagnostic {
    return op->emitError() << "argument #" << argIndex << ": '"
                           << MuonDialect::kNames << "' ";
  };
  auto names = dyn_cast<ArrayAttr>(value);
  if (!names || !llvm::all_of(names, llvm::IsaPred<StringAttr, RowsAttr>))
    return emit() << "expected a list of names and row blocks, found " << value;
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
