//===- Chips.cpp - Peaks of GPUs -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Report/StepReport.h"

using namespace mlir::muon;

// NVIDIA's data sheets of the products, without sparsity: "A100 Tensor Core
// GPU", "A10 Tensor Core GPU", "L40S GPU", "H100 Tensor Core GPU" and "H200
// Tensor Core GPU" (SXM).
static constexpr Chip kChips[] = {
    {"A100", 80, 312e12, 156e12, 19.5e12, 2.039e12},
    {"A10", 86, 125e12, 62.5e12, 31.2e12, 0.6e12},
    {"L40S", 89, 362e12, 183e12, 91.6e12, 0.864e12},
    {"H100", 90, 989e12, 494.5e12, 67e12, 3.35e12},
    {"H200", 90, 989e12, 494.5e12, 67e12, 4.8e12},
};

llvm::ArrayRef<Chip> mlir::muon::getChips() { return kChips; }

std::optional<Chip> mlir::muon::findChip(llvm::StringRef name) {
  for (const Chip &chip : kChips)
    if (chip.name == name)
      return chip;
  return std::nullopt;
}

std::optional<Chip> mlir::muon::getChipOf(llvm::StringRef arch) {
  arch.consume_back("a");
  for (const Chip &chip : kChips)
    if (arch == "sm_" + std::to_string(chip.arch))
      return chip;
  return std::nullopt;
}

double mlir::muon::getFloorSeconds(const StepReport::Kernel &kernel,
                                   const Chip &chip) {
  double peak = kernel.arithmetic == "tf32"  ? chip.tf32
                : kernel.arithmetic == "f32" ? chip.f32
                                             : chip.half;
  return std::max(kernel.flops / peak,
                  (kernel.bytesRead + kernel.bytesWritten) / chip.bandwidth);
}
