//===- Memory.cpp - Global memory -----------------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Memory.h"

#include "Code.h"

#include <algorithm>
#include <cstring>

using namespace muon::ptxsim;

/// Between allocations, so that an index that is off by a row does not hit.
static constexpr uint64_t gap = 1 << 16;
/// Addresses that are given out in all.
static constexpr uint64_t addressBytes = uint64_t(1) << 44;

/// Gives the allocation its addresses; 0 if there are none left.
uint64_t Memory::add(Allocation allocation, uint64_t bytes,
                     uint64_t alignment) {
  if (!alignment || alignment & (alignment - 1) || alignment > gap)
    return 0;
  uint64_t at = (globalBase + nextAddress + alignment - 1) & ~(alignment - 1);
  if (bytes > addressBytes || at - globalBase + bytes + gap > addressBytes)
    return 0;
  allocation.range.begin = at;
  allocation.range.end = at + bytes;
  nextAddress = at - globalBase + bytes + gap;
  allocations.emplace(at, std::move(allocation));
  return at;
}

uint64_t Memory::allocate(uint64_t bytes, std::string name, uint64_t alignment,
                          void *mapped) {
  Allocation allocation;
  allocation.name = std::move(name);
  if (mapped) {
    allocation.range.data = static_cast<uint8_t *>(mapped);
    return add(std::move(allocation), bytes, alignment);
  }
  size_t size = std::max<uint64_t>(bytes, 1);
  allocation.data.reset(static_cast<uint8_t *>(std::malloc(size)));
  allocation.shadow.reset(static_cast<uint8_t *>(std::malloc(size)));
  if (!allocation.data || !allocation.shadow)
    return 0;
  std::memset(allocation.data.get(), 0xcb, bytes);
  std::memset(allocation.shadow.get(), 0xff, bytes);
  allocation.range.data = allocation.data.get();
  allocation.range.shadow = allocation.shadow.get();
  return add(std::move(allocation), bytes, alignment);
}

uint64_t Memory::allocateZeros(uint64_t bytes, std::string name,
                               uint64_t alignment, bool readOnly) {
  Allocation allocation;
  allocation.name = std::move(name);
  allocation.data.reset(
      static_cast<uint8_t *>(std::calloc(std::max<uint64_t>(bytes, 1), 1)));
  if (!allocation.data)
    return 0;
  allocation.range.data = allocation.data.get();
  allocation.range.readOnly = readOnly;
  return add(std::move(allocation), bytes, alignment);
}

bool Memory::free(uint64_t address) {
  auto found = allocations.find(address);
  if (found == allocations.end() || found->second.freed)
    return false;
  // The name stays, for the message of who comes back.
  Allocation &allocation = found->second;
  allocation.freed = true;
  allocation.data.reset();
  allocation.shadow.reset();
  return true;
}

const MemoryRange *Memory::find(uint64_t address, uint64_t bytes) const {
  auto after = allocations.upper_bound(address);
  if (after == allocations.begin())
    return nullptr;
  const Allocation &allocation = std::prev(after)->second;
  const MemoryRange &range = allocation.range;
  if (allocation.freed || address > range.end || bytes > range.end - address)
    return nullptr;
  return &range;
}

void Memory::setDefined(uint64_t address, uint64_t bytes) {
  Allocation &allocation = std::prev(allocations.upper_bound(address))->second;
  MemoryRange &range = allocation.range;
  if (!range.shadow)
    return;
  if (bytes == range.end - range.begin) {
    range.shadow = nullptr;
    allocation.shadow.reset();
  } else {
    std::memset(range.shadow + (address - range.begin), 0, bytes);
  }
}

std::string Memory::describe(uint64_t address) const {
  auto after = allocations.upper_bound(address);
  if (after == allocations.begin())
    return "an address before all allocations";
  const Allocation &allocation = std::prev(after)->second;
  const MemoryRange &range = allocation.range;
  std::string name =
      allocation.name.empty() ? "an allocation" : "'" + allocation.name + "'";
  name += " of " + std::to_string(range.end - range.begin) + " bytes";
  if (allocation.freed)
    return name + ", which was freed";
  return "byte " + std::to_string(address - range.begin) + " of " + name;
}
