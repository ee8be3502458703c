//===- InPlaceOps.h - What operations on operand groups share ---*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Syntax, bytecode, types and effects of operations with named operand groups
// (Muon_InPlaceOp), as templates and a macro that defines their methods.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_DIALECT_MUON_IR_INPLACEOPS_H
#define MUON_MLIR_LIB_DIALECT_MUON_IR_INPLACEOPS_H

#include "mlir/Bytecode/BytecodeImplementation.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/OpImplementation.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"

namespace mlir::muon {

/// Every group has the number of values its name says, tensors and buffers do
/// not mix, and no value is a destination twice.
LogicalResult verifyInPlaceOp(InPlaceOpInterface op);

/// Reads and writes of the operands that are buffers.
void getInPlaceEffects(
    InPlaceOpInterface op,
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects);

/// Attributes of operations in version 1 of the bytecode, which wrote them one
/// after the other; a name ends in `?` where the attribute could be absent.
ArrayRef<StringRef> getVersion1Attributes(StringRef mnemonic);

//===----------------------------------------------------------------------===//
// Syntax of operations with named operand groups
//===----------------------------------------------------------------------===//

/// Parses `group(%a, %b : t0, t1) … {attributes}`. The result types are those
/// of the destinations that are values.
template <typename OpT>
ParseResult parseInPlaceOp(OpAsmParser &parser, OperationState &result) {
  SmallVector<int32_t> segments;
  SmallVector<Type> destinationTypes;
  for (auto [index, spec] : llvm::enumerate(OpT::getOperandGroups())) {
    StringRef name = spec.rtrim("?*!");
    bool isOptional = spec.contains('?') || spec.contains('*');
    if (failed(parser.parseOptionalKeyword(name))) {
      if (!isOptional)
        return parser.emitError(parser.getCurrentLocation())
               << "expected operand '" << name << "(...)'";
      segments.push_back(0);
      continue;
    }
    SmallVector<OpAsmParser::UnresolvedOperand> operands;
    SmallVector<Type> types;
    SMLoc loc = parser.getCurrentLocation();
    if (parser.parseLParen() || parser.parseOperandList(operands) ||
        parser.parseColonTypeList(types) || parser.parseRParen() ||
        parser.resolveOperands(operands, types, loc, result.operands))
      return failure();
    segments.push_back(operands.size());
    if (index >= OpT::getFirstDestinationGroup())
      llvm::copy_if(types, std::back_inserter(destinationTypes),
                    [](Type type) { return !isBuffer(type); });
  }
  SMLoc attrLoc = parser.getCurrentLocation();
  if (parser.parseOptionalAttrDict(result.attributes))
    return failure();
  if (result.attributes.get(OpT::getOperandSegmentSizeAttr()))
    return parser.emitError(attrLoc)
           << "'" << OpT::getOperandSegmentSizeAttr()
           << "' follows from the operands and cannot be given";
  // Properties are set from attributes without a diagnostic of their own.
  if (failed(OpT::verifyInherentAttrs(result.name, result.attributes, [&]() {
        return parser.emitError(parser.getNameLoc())
               << "'" << result.name.getStringRef() << "' op ";
      })))
    return failure();
  result.addAttribute(OpT::getOperandSegmentSizeAttr(),
                      parser.getBuilder().getDenseI32ArrayAttr(segments));
  result.addTypes(destinationTypes);
  return success();
}

template <typename OpT>
void printInPlaceOp(OpAsmPrinter &printer, OpT op) {
  auto inPlace = cast<InPlaceOpInterface>(op.getOperation());
  for (auto [index, spec] : llvm::enumerate(OpT::getOperandGroups())) {
    OperandRange group = inPlace.getOperandGroup(index);
    if (group.empty())
      continue;
    printer << ' ' << spec.rtrim("?*!") << '(' << group << " : "
            << group.getTypes() << ')';
  }
  printer.printOptionalAttrDict(op->getAttrs(),
                                {OpT::getOperandSegmentSizeAttr()});
}

template <typename OpT>
LogicalResult inferInPlaceTypes(ValueRange operands,
                                const typename OpT::Properties &props,
                                SmallVectorImpl<Type> &inferred) {
  unsigned inputs = 0;
  for (unsigned i = 0; i < OpT::getFirstDestinationGroup(); ++i)
    inputs += props.operandSegmentSizes[i];
  if (inputs > operands.size())
    return failure();
  for (Value destination : operands.drop_front(inputs))
    if (!isBuffer(destination.getType()))
      inferred.push_back(destination.getType());
  return success();
}

/// Reads what writeProperties writes: a dictionary, so that an attribute with a
/// default can be added without another version.
template <typename OpT>
LogicalResult readInPlaceProperties(DialectBytecodeReader &reader,
                                    OperationState &state) {
  auto &properties = state.getOrAddProperties<typename OpT::Properties>();
  auto emitError = [&] { return reader.emitError(); };
  if (MuonDialect::getBytecodeVersion(reader) >= 2) {
    DictionaryAttr attributes;
    if (failed(reader.readAttribute(attributes)))
      return failure();
    return OpT::setPropertiesFromAttr(properties, attributes, emitError);
  }
  if (reader.getBytecodeVersion() < 6)
    return reader.emitError(
        "expected at least version 6 of the bytecode with version 1 of the "
        "muon dialect");
  NamedAttrList attributes;
  StringRef name = OpT::getOperationName();
  for (StringRef key :
       getVersion1Attributes(name.drop_front(name.find('.') + 1))) {
    Attribute value;
    bool isOptional = key.consume_back("?");
    if (failed(isOptional ? reader.readOptionalAttribute(value)
                          : reader.readAttribute(value)))
      return failure();
    if (value)
      attributes.append(key, value);
  }
  auto &segments = properties.operandSegmentSizes;
  if (failed(reader.readSparseArray(MutableArrayRef(segments))))
    return failure();
  attributes.append(
      OpT::getOperandSegmentSizeAttr(),
      DenseI32ArrayAttr::get(reader.getContext(), ArrayRef<int32_t>(segments)));
  return OpT::setPropertiesFromAttr(
      properties, attributes.getDictionary(reader.getContext()), emitError);
}

} // namespace mlir::muon

#define MUON_IN_PLACE_OP(OpT)                                                  \
  LogicalResult OpT::readProperties(DialectBytecodeReader &reader,             \
                                    OperationState &state) {                   \
    return readInPlaceProperties<OpT>(reader, state);                          \
  }                                                                            \
  void OpT::writeProperties(DialectBytecodeWriter &writer) {                   \
    writer.writeAttribute(getPropertiesAsAttr(getContext(), getProperties())); \
  }                                                                            \
  ParseResult OpT::parse(OpAsmParser &parser, OperationState &result) {        \
    return parseInPlaceOp<OpT>(parser, result);                                \
  }                                                                            \
  void OpT::print(OpAsmPrinter &printer) { printInPlaceOp(printer, *this); }   \
  LogicalResult OpT::inferReturnTypes(                                         \
      MLIRContext *, std::optional<Location>, ValueRange operands,             \
      DictionaryAttr, OpaqueProperties properties, RegionRange,                \
      SmallVectorImpl<Type> &inferred) {                                       \
    return inferInPlaceTypes<OpT>(operands, *properties.as<Properties *>(),    \
                                  inferred);                                   \
  }                                                                            \
  void OpT::getEffects(                                                        \
      SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>      \
          &effects) {                                                          \
    getInPlaceEffects(*this, effects);                                         \
  }

#define MUON_TENSOR_OP(OpT)                                                    \
  MUON_IN_PLACE_OP(OpT)                                                        \
  LogicalResult OpT::reifyResultShapes(OpBuilder &builder,                     \
                                       ReifiedRankedShapedTypeDims &shapes) {  \
    for (Type type : getOperation()->getResultTypes())                         \
      shapes.push_back(getAsIndexOpFoldResult(                                 \
          builder.getContext(), cast<ShapedType>(type).getShape()));           \
    return success();                                                          \
  }

#endif // MUON_MLIR_LIB_DIALECT_MUON_IR_INPLACEOPS_H
