//===- Memory.h - Global memory ---------------------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_PTXSIM_MEMORY_H
#define MUON_MLIR_LIB_PTXSIM_MEMORY_H

#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace muon::ptxsim {

/// Where a range of addresses lies in the memory of the host.
struct MemoryRange {
  uint64_t begin = 0, end = 0;
  uint8_t *data = nullptr;
  /// A byte of set bits for each byte that was never written; null if all were.
  uint8_t *shadow = nullptr;
  bool readOnly = false;
};

/// The allocations of a device. Their addresses are the same in every run.
class Memory {
public:
  /// 0 if there is not enough. Without `mapped` the memory is undefined.
  uint64_t allocate(uint64_t bytes, std::string name, uint64_t alignment,
                    void *mapped);
  /// Memory of zeros, which takes none of the host's before it is used.
  uint64_t allocateZeros(uint64_t bytes, std::string name, uint64_t alignment,
                         bool readOnly);
  bool free(uint64_t address);

  /// Null if [address, address + bytes) is not within one allocation.
  const MemoryRange *find(uint64_t address, uint64_t bytes) const;
  /// The bytes of a range within one allocation were written.
  void setDefined(uint64_t address, uint64_t bytes);
  /// What lies at or before an address, for messages.
  std::string describe(uint64_t address) const;

private:
  struct Allocation {
    MemoryRange range;
    std::string name;
    std::unique_ptr<uint8_t, void (*)(void *)> data{nullptr, std::free},
        shadow{nullptr, std::free};
    bool freed = false;
  };
  uint64_t add(Allocation allocation, uint64_t bytes, uint64_t alignment);

  std::map<uint64_t, Allocation> allocations;
  uint64_t nextAddress = 0;
};

} // namespace muon::ptxsim

#endif // MUON_MLIR_LIB_PTXSIM_MEMORY_H
