//===- StepReport.h - What a step does and what it takes -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The data of a report and how it is printed. docs/report.md describes both.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_REPORT_STEPREPORT_H
#define MUON_MLIR_REPORT_STEPREPORT_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mlir::muon {

/// A GPU, for floors: the peaks of its data sheet.
struct Chip {
  const char *name;
  /// The number in sm_N.
  unsigned arch;
  /// FLOP/s of dense products in f16 and bf16, in tf32, and in f32 without
  /// tensor cores.
  double half, tf32, f32;
  /// Bytes per second of memory.
  double bandwidth;
};

/// The chips that are known.
llvm::ArrayRef<Chip> getChips();

/// The chip with that name; none if there is none.
std::optional<Chip> findChip(llvm::StringRef name);

/// The first chip of an architecture such as sm_80.
std::optional<Chip> getChipOf(llvm::StringRef arch);

/// FLOPs, bytes and sums are doubles: exact below 2^53, and without overflow
/// above.
struct StepReport {
  /// A tensor, or rows `begin` to `end` of one that has `rows` rows.
  struct Member {
    std::string tensor;
    int64_t begin = 0, end = 0, rows = 0;
  };

  /// One pass over memory.
  struct Stream {
    std::string name;
    double bytesRead = 0, bytesWritten = 0;
  };

  /// How a Muon update is computed; known at the step level.
  struct Iteration {
    std::string side, compute, kind, why;
    std::vector<int64_t> restarts;
    int64_t steps = 0;
    double flops = 0;
    /// Of the textbook sequence of products: 4m²n + 2m³ in every step.
    double denseFlops = 0;
  };

  /// What the code does to memory; known at the buffers level.
  struct Memory {
    std::vector<Stream> streams;
    int64_t scratchBytes = 0;
    int64_t passes = 0;
    int64_t matricesPerPass = 0;
  };

  /// One update, of a tensor or of a stack of equal ones.
  struct Group {
    /// "muon" or "adamw".
    std::string optimizer;
    std::string ruleGroup;
    std::vector<Member> members;
    std::vector<int64_t> shape;
    int64_t matrices = 0;
    int64_t parameters = 0;
    /// Roles of tensors and their element types.
    std::vector<std::pair<std::string, std::string>> types;
    std::optional<Iteration> iteration;
    std::optional<Memory> memory;
    /// Number of the argument that is the weight; not printed.
    unsigned weightArgument = 0;
  };

  /// Of the whole step; known at the buffers level, for a GPU at the kernels
  /// level.
  struct Totals {
    int64_t scratchBytes = 0;
    int64_t slots = 0;
  };

  /// A kernel, and all its launches in a step together.
  struct Kernel {
    std::string name, phase;
    /// What its products multiply: "bf16", "f16", "tf32", "f32", or "none".
    std::string arithmetic;
    int64_t launches = 0;
    /// Thread blocks of the largest launch, and threads of one.
    int64_t blocks = 0, threads = 0;
    /// Bytes of dynamic shared memory of a block.
    int64_t sharedBytes = 0;
    /// Of a thread, and bytes it spills, as ptxas counts them; absent without.
    std::optional<int64_t> registers, spilledBytes;
    /// Of whole tiles, and of every element of every operand once.
    double flops = 0, bytesRead = 0, bytesWritten = 0;
  };

  /// What the code for a GPU does; known at the kernels level.
  struct Device {
    std::string arch;
    /// Absent if no chip has that architecture and none was named.
    std::optional<Chip> chip;
    /// 0 for none.
    int64_t scratchLimit = 0;
    std::vector<Kernel> kernels;
  };

  /// Collectives of one kind for one purpose, all of them together.
  struct Collective {
    std::string what, kind;
    int64_t count = 0;
    /// By this rank, to and from others.
    double bytesSent = 0, bytesReceived = 0;
  };

  /// What ranks do together; known at the buffers level.
  struct Distribution {
    int64_t rank = 0, ranks = 1;
    /// As all ranks have it: the grid, then a line for each group of equal
    /// parameters.
    std::vector<std::string> plan;
    std::vector<Collective> collectives;
  };

  std::vector<Group> groups;
  std::optional<Distribution> distribution;
  std::optional<Totals> totals;
  std::optional<Device> device;
};

/// Seconds that `chip` needs for a kernel at least: to multiply, or to move
/// what it has to read and write, whichever takes longer.
double getFloorSeconds(const StepReport::Kernel &kernel, const Chip &chip);

/// For people: aligned tables. Of many names, the first and their number.
void printReportText(const StepReport &report, llvm::raw_ostream &os);

/// For programs.
void printReportJson(const StepReport &report, llvm::raw_ostream &os);

} // namespace mlir::muon

#endif // MUON_MLIR_REPORT_STEPREPORT_H
