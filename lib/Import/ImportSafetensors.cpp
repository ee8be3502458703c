//===- ImportSafetensors.cpp - A step from a checkpoint's header ----------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Import/ImportSafetensors.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "muon-mlir/Import/Rules.h"
#include "muon-mlir/Runtime/Safetensors.h"

using namespace mlir;
using namespace mlir::muon;

/// The type of a tensor's elements in IR. Types that no optimizer takes need
/// only keep their width and kind: such tensors leave the step as frozen.
static Type getElementType(Builder &builder, ::muon::DType dtype) {
  switch (dtype) {
  case ::muon::DType::F32:
    return builder.getF32Type();
  case ::muon::DType::BF16:
    return builder.getBF16Type();
  case ::muon::DType::F16:
    return builder.getF16Type();
  case ::muon::DType::F64:
    return builder.getF64Type();
  case ::muon::DType::F4:
    return builder.getType<Float4E2M1FNType>();
  case ::muon::DType::F6E2M3:
    return builder.getType<Float6E2M3FNType>();
  case ::muon::DType::F6E3M2:
    return builder.getType<Float6E3M2FNType>();
  case ::muon::DType::F8E5M2:
    return builder.getType<Float8E5M2Type>();
  case ::muon::DType::F8E4M3:
    return builder.getType<Float8E4M3FNType>();
  case ::muon::DType::F8E5M2FNUZ:
    return builder.getType<Float8E5M2FNUZType>();
  case ::muon::DType::F8E4M3FNUZ:
    return builder.getType<Float8E4M3FNUZType>();
  case ::muon::DType::F8E8M0:
    return builder.getType<Float8E8M0FNUType>();
  default:
    return builder.getIntegerType(::muon::dtypeBits(dtype));
  }
}

static Type getGradientType(Builder &builder, Type weight,
                            rules::GradType type) {
  switch (type) {
  case rules::GradType::Same:
    return weight;
  case rules::GradType::F32:
    return builder.getF32Type();
  case rules::GradType::BF16:
    return builder.getBF16Type();
  case rules::GradType::F16:
    return builder.getF16Type();
  }
  llvm_unreachable("unknown gradient type");
}

OwningOpRef<ModuleOp>
mlir::muon::importTensors(MLIRContext &context, llvm::StringRef source,
                          llvm::ArrayRef<::muon::TensorInfo> tensors,
                          const rules::Rules &rules) {
  OpBuilder builder(&context);
  Location unknown = FileLineColLoc::get(&context, source, 0, 0);
  OwningOpRef<ModuleOp> module = ModuleOp::create(unknown);
  builder.setInsertionPointToEnd(module->getBody());
  auto step = func::FuncOp::create(builder, unknown, "step",
                                   builder.getFunctionType({}, {}));
  Block *body = step.addEntryBlock();
  builder.setInsertionPointToEnd(body);

  SmallVector<Attribute> argAttrs;
  auto addArgument = [&](Location loc, Type type, Role role, Attribute name) {
    argAttrs.push_back(builder.getDictionaryAttr(
        {builder.getNamedAttr(MuonDialect::kNames, builder.getArrayAttr(name)),
         builder.getNamedAttr(MuonDialect::kRole,
                              RoleAttr::get(&context, role))}));
    return body->addArgument(type, loc);
  };
  SmallVector<Value> results;
  for (const ::muon::TensorInfo &info : tensors) {
    Location loc = NameLoc::get(builder.getStringAttr(info.name), unknown);
    Type weightType = getElementType(builder, info.dtype);
    Type gradientType =
        getGradientType(builder, weightType, rules.getStep().gradType);
    Attribute name = builder.getStringAttr(info.name);
    Value w = addArgument(loc, RankedTensorType::get(info.shape, weightType),
                          Role::Weight, name);
    Value g = addArgument(loc, RankedTensorType::get(info.shape, gradientType),
                          Role::Gradient, name);
    results.push_back(OptimizeOp::create(builder, loc, w, g));
  }
  func::ReturnOp::create(builder, unknown, results);
  step.setType(builder.getFunctionType(body->getArgumentTypes(),
                                       TypeRange(ValueRange(results))));
  step.setAllArgAttrs(argAttrs);
  return module;
}

llvm::Expected<OwningOpRef<ModuleOp>>
mlir::muon::importSafetensors(MLIRContext &context, llvm::StringRef path,
                              const rules::Rules &rules) {
  std::string error;
  std::unique_ptr<::muon::SafetensorsFile> file = ::muon::SafetensorsFile::open(
      path.str(), error, ::muon::SafetensorsFile::Mode::Header);
  if (!file)
    return llvm::createStringError(error);
  if (file->tensors().empty())
    return llvm::createStringError(path +
                                   " has no tensors; nothing to optimize");
  return importTensors(context, path, file->tensors(), rules);
}
