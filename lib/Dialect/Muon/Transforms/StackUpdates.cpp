//===- StackUpdates.cpp - Merge updates of equal shape -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h"
#include "llvm/ADT/MapVector.h"

namespace mlir::muon {
#define GEN_PASS_DEF_STACKUPDATESPASS
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

namespace {

/// How an operand of an update behaves when updates merge.
enum class OperandKind {
  /// A value that all merged updates share.
  Shared,
  /// A tensor argument of the function: becomes a member of a stack.
  Tensor,
  /// An argument for sums: lists are concatenated.
  Sums,
  /// The result of muon.sum_squares of an argument into such an argument.
  SumsOfTensor,
};

/// An update and how each of its operands merges.
struct Candidate {
  InPlaceOpInterface op;
  SmallVector<OperandKind> kinds;
};

/// Merges the updates of one function.
class Stacker {
public:
  explicit Stacker(func::FuncOp step)
      : step(step), builder(step.getContext()) {}

  /// Returns the number of (stacks, members) made.
  std::pair<int64_t, int64_t> run();

private:
  std::optional<Candidate> getCandidate(InPlaceOpInterface op);
  std::optional<OperandKind> classify(InPlaceOpInterface op,
                                      OpOperand &operand);
  DictionaryAttr getKey(const Candidate &candidate);
  ArrayAttr getSumsKey(InPlaceOpInterface op, Value argument);
  bool isOwned(Value argument, ArrayRef<Operation *> users);
  void groupArguments(ArrayRef<Candidate> group);
  void addGroup(ArrayRef<Value> members, bool isStack);
  void rebuild();
  void rebuildOp(Operation &op, OpBuilder &b);
  SmallVector<Value> mapList(ValueRange values);

  func::FuncOp step;
  Builder builder;

  /// Arguments that become one, by their first.
  struct ArgumentGroup {
    SmallVector<Value> members;
    bool isStack;
  };
  llvm::MapVector<Value, ArgumentGroup> groups;
  /// Arguments and operations that the first of their group stands for.
  llvm::DenseSet<Value> absorbedArguments;
  llvm::DenseMap<Operation *, Operation *> absorbedOps;
  llvm::DenseSet<Operation *> mergedOps;
  IRMapping map;
};

} // namespace

/// Whether `argument` is an argument of the function, used by `users` alone.
bool Stacker::isOwned(Value argument, ArrayRef<Operation *> users) {
  auto blockArgument = dyn_cast<BlockArgument>(argument);
  return blockArgument && blockArgument.getOwner() == &step.getBody().front() &&
         llvm::all_of(argument.getUsers(), [&](Operation *user) {
           return llvm::is_contained(users, user);
         });
}

std::optional<OperandKind> Stacker::classify(InPlaceOpInterface op,
                                             OpOperand &operand) {
  Value value = operand.get();
  StringRef group = op.getOperandGroupName(operand.getOperandNumber());
  if (group == "update_sums" || group == "weight_sums")
    return isOwned(value, {op}) ? std::optional(OperandKind::Sums)
                                : std::nullopt;
  if (group == "gradient_sums" || group == "momentum_sums") {
    auto sums = value.getDefiningOp<SumSquaresOp>();
    if (!sums || !isOwned(sums.getSums().front(), {sums}) ||
        !llvm::is_contained(op->getOperands(), sums.getValue().front()))
      return std::nullopt;
    return OperandKind::SumsOfTensor;
  }
  if (!op.isDestination(operand) && group != "gradient")
    return OperandKind::Shared;

  // Weight, gradient and state: also read by the sums. What is a stack already
  // stays one.
  if (!isa<RankedTensorType>(value.getType()))
    return std::nullopt;
  SmallVector<Operation *> users = {op};
  for (Operation *user : value.getUsers())
    if (auto sums = dyn_cast<SumSquaresOp>(user))
      if (sums.getValue().front() == value)
        users.push_back(user);
  return isOwned(value, users) ? std::optional(OperandKind::Tensor)
                               : std::nullopt;
}

std::optional<Candidate> Stacker::getCandidate(InPlaceOpInterface op) {
  Candidate candidate{op, {}};
  for (OpOperand &operand : op->getOpOperands()) {
    std::optional<OperandKind> kind = classify(op, operand);
    if (!kind)
      return std::nullopt;
    candidate.kinds.push_back(*kind);
  }
  for (Value result : op->getResults())
    if (!llvm::all_of(result.getUsers(), llvm::IsaPred<func::ReturnOp>))
      return std::nullopt;
  for (OpOperand &operand : op->getOpOperands())
    if (candidate.kinds[operand.getOperandNumber()] == OperandKind::Tensor &&
        !getSumsKey(op, operand.get()))
      return std::nullopt;
  return candidate;
}

/// Who sees the sums of squares of `argument`: updates merge only if the same
/// looks see the sums of each in the same place. Null if something else does,
/// or if there are several sums. Also whether the argument has names.
ArrayAttr Stacker::getSumsKey(InPlaceOpInterface op, Value argument) {
  SmallVector<Attribute> key;
  auto add = [&](const void *pointer, int64_t detail) {
    key.push_back(
        builder.getI64IntegerAttr(reinterpret_cast<intptr_t>(pointer)));
    key.push_back(builder.getI64IntegerAttr(detail));
  };
  unsigned index = cast<BlockArgument>(argument).getArgNumber();
  add(nullptr, step.getArgAttr(index, MuonDialect::kNames) ? 1 : 0);
  unsigned count = 0;
  for (Operation *user : argument.getUsers()) {
    auto sums = dyn_cast<SumSquaresOp>(user);
    if (!sums)
      continue;
    if (++count > 1 || !isOwned(sums.getSums().front(), {sums}))
      return {};
    SmallVector<std::pair<Operation *, int64_t>> looks;
    for (OpOperand &use : sums->getResult(0).getUses()) {
      if (auto look = dyn_cast<LookOp>(use.getOwner())) {
        bool isMomentum = use.getOperandNumber() >= look.getGradients().size();
        looks.push_back({look, isMomentum});
      } else if (use.getOwner() != op && !isa<func::ReturnOp>(use.getOwner())) {
        return {};
      }
    }
    llvm::sort(looks);
    for (auto [look, isMomentum] : looks)
      add(look, isMomentum);
  }
  return builder.getArrayAttr(key);
}

/// Updates with equal keys may merge.
DictionaryAttr Stacker::getKey(const Candidate &candidate) {
  InPlaceOpInterface op = candidate.op;
  SmallVector<Attribute> operands;
  for (auto [operand, kind] :
       llvm::zip_equal(op->getOperands(), candidate.kinds)) {
    operands.push_back(TypeAttr::get(operand.getType()));
    if (kind == OperandKind::Tensor) {
      operands.push_back(getSumsKey(op, operand));
      unsigned index = cast<BlockArgument>(operand).getArgNumber();
      for (StringRef name : {MuonDialect::kSharding, MuonDialect::kUnreduced})
        if (Attribute placement = step.getArgAttr(index, name))
          operands.push_back(placement);
    }
    if (kind == OperandKind::Shared)
      operands.push_back(builder.getI64IntegerAttr(
          reinterpret_cast<intptr_t>(operand.getAsOpaquePointer())));
  }
  return builder.getDictionaryAttr(
      {builder.getNamedAttr(
           "name", builder.getStringAttr(op->getName().getStringRef())),
       builder.getNamedAttr("attributes", op->getAttrDictionary()),
       builder.getNamedAttr("operands", builder.getArrayAttr(operands))});
}

void Stacker::addGroup(ArrayRef<Value> members, bool isStack) {
  if (groups.contains(members.front()))
    return;
  groups.insert({members.front(), {SmallVector<Value>(members), isStack}});
  for (Value member : members.drop_front())
    absorbedArguments.insert(member);
}

/// Records which arguments and which muon.sum_squares merge with a group of
/// updates.
void Stacker::groupArguments(ArrayRef<Candidate> group) {
  Candidate first = group.front();
  mergedOps.insert(first.op);
  for (const Candidate &other : group.drop_front())
    absorbedOps[other.op] = first.op;

  for (auto [index, kind] : llvm::enumerate(first.kinds)) {
    if (kind == OperandKind::Shared || kind == OperandKind::SumsOfTensor)
      continue;
    SmallVector<Value> members;
    for (const Candidate &candidate : group) {
      InPlaceOpInterface op = candidate.op;
      members.push_back(op->getOperand(index));
    }
    addGroup(members, kind == OperandKind::Tensor);
    if (kind != OperandKind::Tensor)
      continue;
    // The sums of this tensor, if there are any, in the same order.
    SmallVector<SumSquaresOp> sums;
    for (Value member : members)
      for (Operation *user : member.getUsers())
        if (auto op = dyn_cast<SumSquaresOp>(user))
          sums.push_back(op);
    if (sums.empty())
      continue;
    SmallVector<Value> lists;
    mergedOps.insert(sums.front());
    for (SumSquaresOp op : sums) {
      lists.push_back(op.getSums().front());
      if (op != sums.front())
        absorbedOps[op] = sums.front();
    }
    addGroup(lists, /*isStack=*/false);
  }
}

/// `values` in the rebuilt function, without repetitions of merged ones.
SmallVector<Value> Stacker::mapList(ValueRange values) {
  SmallVector<Value> result;
  for (Value value : values)
    if (Operation *op = value.getDefiningOp(); absorbedOps.contains(op))
      continue;
    else
      result.push_back(map.lookup(value));
  return result;
}

void Stacker::rebuildOp(Operation &op, OpBuilder &b) {
  if (absorbedOps.contains(&op))
    return;
  if (auto look = dyn_cast<LookOp>(op)) {
    auto newLook =
        LookOp::create(b, look.getLoc(), mapList(look.getGradients()),
                       mapList(look.getMomenta()), mapList(look.getLimit()),
                       mapList(look.getOk()), mapList(look.getClip()),
                       look.getSkipNonfinite());
    map.map(op.getResults(), newLook->getResults());
    return;
  }
  if (auto ret = dyn_cast<func::ReturnOp>(op)) {
    func::ReturnOp::create(b, ret.getLoc(), mapList(ret.getOperands()));
    return;
  }
  if (!mergedOps.contains(&op)) {
    b.clone(op, map);
    return;
  }
  SmallVector<Value> operands;
  for (Value operand : op.getOperands())
    operands.push_back(map.lookup(operand));
  auto inPlace = cast<InPlaceOpInterface>(op);
  SmallVector<Type> types;
  for (Value value : ArrayRef(operands).drop_front(inPlace.getNumInputs()))
    types.push_back(value.getType());
  OperationState state(op.getLoc(), op.getName(), operands, types,
                       op.getAttrs());
  map.map(op.getResults(), b.create(state)->getResults());
}

void Stacker::rebuild() {
  Block &old = step.getBody().front();
  auto *body = new Block();
  step.getBody().push_back(body);
  SmallVector<Attribute> argAttrs;
  for (BlockArgument argument : old.getArguments()) {
    if (absorbedArguments.contains(argument))
      continue;
    DictionaryAttr attrs = step.getArgAttrDict(argument.getArgNumber());
    if (!attrs)
      attrs = builder.getDictionaryAttr({});
    Type type = argument.getType();
    if (auto entry = groups.find(argument); entry != groups.end()) {
      ArgumentGroup &group = entry->second;
      SmallVector<Attribute> names;
      for (Value member : group.members)
        if (auto list = step.getArgAttrOfType<ArrayAttr>(
                cast<BlockArgument>(member).getArgNumber(),
                MuonDialect::kNames))
          llvm::append_range(names, list);
      NamedAttrList newAttrs(attrs);
      if (!names.empty())
        newAttrs.set(MuonDialect::kNames, builder.getArrayAttr(names));
      attrs = newAttrs.getDictionary(step.getContext());
      auto tensor = cast<RankedTensorType>(type);
      int64_t count = group.members.size();
      type =
          group.isStack
              ? Type(StackType::get(step.getContext(), count, tensor.getShape(),
                                    tensor.getElementType()))
              : Type(RankedTensorType::get(tensor.getDimSize(0) * count,
                                           tensor.getElementType()));
    }
    argAttrs.push_back(attrs);
    map.map(argument, body->addArgument(type, argument.getLoc()));
  }

  OpBuilder b = OpBuilder::atBlockBegin(body);
  for (Operation &op : old)
    rebuildOp(op, b);
  old.dropAllDefinedValueUses();
  old.erase();
  step.setType(FunctionType::get(step.getContext(), body->getArgumentTypes(),
                                 body->getTerminator()->getOperandTypes()));
  step.setAllArgAttrs(argAttrs);
}

std::pair<int64_t, int64_t> Stacker::run() {
  llvm::MapVector<DictionaryAttr, SmallVector<Candidate>> candidates;
  for (Operation &op : step.getBody().front())
    if (isa<UpdateOp, AdamWUpdateOp>(op))
      if (auto candidate = getCandidate(cast<InPlaceOpInterface>(op)))
        candidates[getKey(*candidate)].push_back(*candidate);

  int64_t members = 0, stacks = 0;
  for (auto &[key, group] : candidates) {
    if (group.size() < 2)
      continue;
    groupArguments(group);
    ++stacks;
    members += group.size();
  }
  if (stacks)
    rebuild();
  return {stacks, members};
}

namespace {

struct StackUpdatesPass
    : public muon::impl::StackUpdatesPassBase<StackUpdatesPass> {
  using Base::Base;

  void runOnOperation() override {
    for (auto step : getOperation().getOps<func::FuncOp>()) {
      if (step.isExternal() || !step.getBody().hasOneBlock() ||
          step.getResAttrsAttr())
        continue;
      auto [stacks, members] = Stacker(step).run();
      numStacks += stacks;
      numMembers += members;
    }
  }
};

} // namespace
