//===- MuonDialect.td - The muon dialect -*- tablegen -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_DIALECT
#define MUON_DIALECT

include "mlir/IR/OpBase.td"

def Muon_Dialect : Dialect {
  let name = "muon";
  let cppNamespace = "::mlir::muon";
  let summary = "Optimizer steps: what they are and how they are computed";
  let description = [{
    The dialect has three levels.

    - *Step*: `muon.optimize`, `muon.update`, `muon.adamw_update`, `muon.look`
      and `muon.advance` say what an optimizer step is.
    - *Math*: `muon.momentum`, `muon.normalize`, `muon.orthogonalize`,
      `muon.polynomial_step`, `muon.symmetric_product`, `muon.symmetric_apply`
      and `muon.apply` say how it is computed.
    - *Runtime*: `muon.member`, `muon.slot`, `muon.arena` and `muon.host_call`
      name what the runtime provides.

    Operations of the first two levels, but for muon.optimize, update their last
    operands, the *destinations*, in place. On tensors and stacks they have value semantics
    and one result per destination, of the destination's type; on memrefs and
    tables they have no result. A destination shares no memory with any other
    operand. Operands come in named groups, some of which may be left out.

    Every shape is static. A matrix has shape R×C with R its fan-out and C its
    fan-in; leading dimensions of a tensor, and the members of a stack, are a
    batch of independent matrices.
  }];

  let dependentDialects = ["::mlir::tensor::TensorDialect"];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let hasRegionArgAttrVerify = 1;
  let hasOperationAttrVerify = 1;
  let extraClassDeclaration = [{
    /// Names of the argument attributes that describe a step's arguments.
    static constexpr ::llvm::StringLiteral kRole = "muon.role";
    static constexpr ::llvm::StringLiteral kNames = "muon.names";
    static constexpr ::llvm::StringLiteral kGroup = "muon.group";
    static constexpr ::llvm::StringLiteral kDefault = "muon.default";
    /// Name of the argument attribute of the host's table, and of the attribute
    /// of the function that the runtime calls.
    static constexpr ::llvm::StringLiteral kHost = "muon.host";
    static constexpr ::llvm::StringLiteral kEntry = "muon.entry";
    /// Name of the module attribute that lists tensors a step leaves alone.
    static constexpr ::llvm::StringLiteral kFrozen = "muon.frozen";
    /// Version of the dialect's bytecode. A reader accepts its own version and
    /// older ones; raise it when what is written changes.
    static constexpr uint64_t kBytecodeVersion = 2;
    /// The version that `reader`'s file was written with.
    static uint64_t getBytecodeVersion(::mlir::DialectBytecodeReader &reader);
    /// Name of the attribute of an update that says, for people, how it is
    /// computed and why.
    static constexpr ::llvm::StringLiteral kWhy = "muon.why";
    /// Names of the argument attributes that say how an argument is laid out
    /// over the grid, and of the attribute that names the grid's axes.
    static constexpr ::llvm::StringLiteral kSharding = "muon.sharding";
    static constexpr ::llvm::StringLiteral kUnreduced = "muon.unreduced";
    static constexpr ::llvm::StringLiteral kAxes = "muon.axes";
    /// Name of the attribute of an update by which a user chooses the strategy.
    static constexpr ::llvm::StringLiteral kStrategy = "muon.strategy";
    /// Names of the module attributes of a step for one rank: its number, what
    /// all ranks have to agree on, and collectives once they are calls.
    static constexpr ::llvm::StringLiteral kRank = "muon.rank";
    static constexpr ::llvm::StringLiteral kPlan = "muon.plan";
    static constexpr ::llvm::StringLiteral kCollectives = "muon.collectives";
    /// Name of the module attribute that holds the artifact's manifest, once
    /// arguments have become slots.
    static constexpr ::llvm::StringLiteral kManifest = "muon.manifest";
    /// Name of the module attribute that lists the kernels of a step for a GPU.
    static constexpr ::llvm::StringLiteral kKernels = "muon.kernels";

    void registerAttributes();
    void registerTypes();
  }];
}

#endif // MUON_DIALECT
