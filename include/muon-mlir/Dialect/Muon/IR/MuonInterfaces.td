//===- MuonInterfaces.td - Interfaces of the muon dialect -*- tablegen -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_INTERFACES
#define MUON_INTERFACES

include "mlir/IR/OpBase.td"

def Muon_InPlaceOpInterface : OpInterface<"InPlaceOpInterface"> {
  let cppNamespace = "::mlir::muon";
  let description = [{
    An operation that updates its last operands, the destinations, in place.
    It differs from upstream's DestinationStyleOpInterface, which the muon
    operations without stacks implement too, in that destinations may be
    stacks and tables.
  }];
  let methods = [
    StaticInterfaceMethod<
      "Operand groups in order. A name ends in `?` if the group may be empty, "
      "in `*` if it has any number of values, in `!` if it is a destination "
      "whose old value matters.",
      "::llvm::ArrayRef<::llvm::StringLiteral>", "getOperandGroups">,
    StaticInterfaceMethod<"Index of the first group of destinations.",
      "unsigned", "getFirstDestinationGroup">,
    InterfaceMethod<"Number of values in an operand group.",
      "unsigned", "getOperandGroupSize", (ins "unsigned":$group), "", [{
        return static_cast<unsigned>(
            $_op.getProperties().operandSegmentSizes[group]);
      }]>,
    InterfaceMethod<"Condition under which the destinations change, or null.",
      "::mlir::Value", "getCondition", (ins), "", [{ return {}; }]>,
    InterfaceMethod<"Takes the condition away.", "void", "dropCondition",
      (ins), "", [{ return; }]>,
  ];
  let extraSharedClassDeclaration = [{
    /// The operands of group number `group`.
    ::mlir::OperandRange getOperandGroup(unsigned group) {
      unsigned start = 0;
      for (unsigned i = 0; i < group; ++i)
        start += $_op.getOperandGroupSize(i);
      return $_op->getOperands().slice(start, $_op.getOperandGroupSize(group));
    }
    unsigned getNumInputs() {
      unsigned count = 0;
      for (unsigned i = 0; i < $_op.getFirstDestinationGroup(); ++i)
        count += $_op.getOperandGroupSize(i);
      return count;
    }
    ::mlir::OperandRange getDestinations() {
      return $_op->getOperands().drop_front(getNumInputs());
    }
    bool isDestination(::mlir::OpOperand &operand) {
      return operand.getOperandNumber() >= getNumInputs();
    }
    /// Name of the group that operand number `index` belongs to, as printed.
    ::llvm::StringRef getOperandGroupName(unsigned index) {
      unsigned end = 0;
      for (auto [i, name] : ::llvm::enumerate($_op.getOperandGroups()))
        if (index < (end += $_op.getOperandGroupSize(i)))
          return name.rtrim("?*!");
      return "";
    }
    /// Whether the destination's old value matters.
    bool readsDestination(::mlir::OpOperand &operand) {
      if ($_op.getCondition())
        return true;
      unsigned end = 0;
      for (auto [i, name] : ::llvm::enumerate($_op.getOperandGroups()))
        if (operand.getOperandNumber() < (end += $_op.getOperandGroupSize(i)))
          return name.contains('!');
      return true;
    }
  }];
}

def Muon_CollectiveOpInterface : OpInterface<"CollectiveOpInterface"> {
  let cppNamespace = "::mlir::muon";
  let description = [{
    What the ranks of a group do together. Data is divided into segments that
    all of the group count alike.
  }];
  let methods = [
    InterfaceMethod<"The ranks that take part.", "::mlir::muon::GroupAttr",
      "getGroup">,
    InterfaceMethod<"Elements of each segment.", "::llvm::ArrayRef<int64_t>",
      "getElements">,
    InterfaceMethod<"Segments that this rank has in `value`, and in `out`.",
      "::llvm::ArrayRef<int64_t>", "getSends">,
    InterfaceMethod<"", "::llvm::ArrayRef<int64_t>", "getReceives">,
    InterfaceMethod<"Place in the group that segment `i` comes from; -1 if each "
      "rank has a part in it.", "int64_t", "getSource", (ins "int64_t":$i)>,
    InterfaceMethod<"Place that it goes to; -1 if that is everyone.", "int64_t",
      "getTarget", (ins "int64_t":$i)>,
    InterfaceMethod<"How ranks combine what they have, if they do.",
      "::std::optional<::mlir::muon::Reduction>", "getReductionKind">,
    InterfaceMethod<"Type of the elements where there are no operands.",
      "::std::optional<::mlir::Type>", "getType">,
    InterfaceMethod<"What moves, for messages.",
      "::std::optional<::llvm::StringRef>", "getLabel">,
    InterfaceMethod<"The handle of a collective that is only started.",
      "::std::optional<uint64_t>", "getHandle">,
  ];
}

#endif // MUON_INTERFACES
