//===- Access.cpp - Lanes that access memory ------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Access.h"
#include "Execute.h"

#include <algorithm>

using namespace muon::ptxsim;

void muon::ptxsim::computeAddresses(Context &c, const Ref &base, int64_t offset,
                                    LaneAccess &access) {
  access.mask = c.mask;
  if (uint32_t lanes = c.undefined[base.reg] & c.mask) {
    useUndefined(c, base.reg, lanes, "as an address");
    access.mask &= ~lanes;
  }
  uint64_t *addresses = access.addresses;
  if (base.width == 4) {
    const uint32_t *from = c.lane<uint32_t>(base.offset);
    for (unsigned l = 0; l < warpSize; ++l)
      addresses[l] = uint64_t(from[l]) + uint64_t(offset);
  } else {
    const uint64_t *from = c.lane<uint64_t>(base.offset);
    for (unsigned l = 0; l < warpSize; ++l)
      addresses[l] = from[l] + uint64_t(offset);
  }
}

namespace {

std::string bytesText(unsigned bytes) {
  return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
}

/// Lanes whose address is no multiple of the alignment.
uint32_t misaligned(const LaneAccess &access, unsigned alignment) {
  uint64_t any = 0;
  for (unsigned l = 0; l < warpSize; ++l)
    any |= access.addresses[l];
  if (!(any & (alignment - 1)))
    return 0;
  uint32_t lanes = 0;
  for (unsigned l = 0; l < warpSize; ++l)
    lanes |= uint32_t((access.addresses[l] & (alignment - 1)) != 0) << l;
  return lanes & access.mask;
}

void countSectors(Counters &counters, const LaneAccess &access, uint32_t mask,
                  unsigned bytes) {
  // An access is aligned, so it lies in one sector.
  uint64_t sectors = 0, distinct = 0;
  bool ascending = true;
  auto add = [&](uint64_t address, uint64_t last) {
    distinct += address != last;
    sectors += (address >> 5) != (last >> 5);
    ascending &= address >= last;
  };
  unsigned first = unsigned(__builtin_ctz(mask));
  uint64_t last = access.addresses[first];
  sectors = distinct = 1;
  if (mask == ~uint32_t(0)) {
    for (unsigned l = 1; l < warpSize; ++l)
      add(access.addresses[l], access.addresses[l - 1]);
  } else {
    forLanes(mask & (mask - 1), [&](unsigned l) {
      add(access.addresses[l], last);
      last = access.addresses[l];
    });
  }
  if (!ascending) {
    uint64_t sorted[warpSize];
    unsigned count = 0;
    forLanes(mask, [&](unsigned l) { sorted[count++] = access.addresses[l]; });
    std::sort(sorted, sorted + count);
    sectors = distinct = 1;
    for (unsigned i = 1; i < count; ++i)
      add(sorted[i], sorted[i - 1]);
  }
  ++counters.globalRequests;
  counters.globalSectors += sectors;
  counters.globalSectorsIdeal += (distinct * bytes + 31) / 32;
}

/// Shared memory has 32 banks of 4 bytes. Lanes are served in groups that
/// together ask for at most 128 bytes; a group takes as many passes as the
/// busiest bank has different words to give.
void countBanks(Counters &counters, const LaneAccess &access, uint32_t mask,
                unsigned bytes) {
  unsigned words = std::max(bytes / 4, 1u);
  unsigned groupLanes = warpSize / words;
  uint64_t wavefronts = 0, groups = 0;
  for (unsigned first = 0; first < warpSize; first += groupLanes) {
    uint32_t lanes = groupLanes == warpSize
                         ? mask
                         : mask & (((uint32_t(1) << groupLanes) - 1) << first);
    if (!lanes)
      continue;
    uint32_t wordsOf[warpSize][warpSize];
    uint8_t count[warpSize] = {};
    uint8_t most = 0;
    forLanes(lanes, [&](unsigned l) {
      for (unsigned w = 0; w < words; ++w) {
        uint32_t word = uint32_t(access.addresses[l] >> 2) + w;
        unsigned bank = word % 32;
        bool known = false;
        for (unsigned i = 0; i < count[bank]; ++i)
          known |= wordsOf[bank][i] == word;
        if (known)
          continue;
        wordsOf[bank][count[bank]++] = word;
        most = std::max(most, count[bank]);
      }
    });
    wavefronts += most;
    ++groups;
  }
  ++counters.sharedRequests;
  counters.sharedWavefronts += wavefronts;
  counters.sharedBankConflicts += wavefronts - groups;
}

void count(Counters::Traffic &traffic, AccessKind kind, uint32_t mask,
           unsigned bytes) {
  uint64_t total = uint64_t(bytes) * __builtin_popcount(mask);
  if (kind.reads)
    traffic.readBytes += total;
  if (kind.writes)
    traffic.writtenBytes += total;
}

void checkRace(Context &c, AccessHistory &history, Space space, unsigned bytes,
               AccessKind kind, const LaneAccess &access, uint32_t mask) {
  RaceReport race;
  if (!history.access(*c.block->clocks, c.warp->index, mask, access.addresses,
                      bytes, kind, c.op().line, race))
    return;
  std::string what = kind.atomic   ? "an atomic access"
                     : kind.writes ? "a write"
                                   : "a read";
  std::string other = race.otherStrong && race.otherWrites ? "a strong write"
                      : race.otherWrites                   ? "a write"
                                                           : "a read";
  std::string message = what + " is not ordered with " + other + " by thread " +
                        std::to_string(race.otherThread);
  if (race.otherBlock != c.block->number)
    message += " of block " + std::to_string(race.otherBlock);
  report(c, FindingKind::DataRace, int(race.lane), std::move(message), space,
         race.address,
         {"the other access: " + placeText(*c.launch, race.otherInstruction)});
}

/// A store where a cp.async of the block may yet read.
void checkSources(Context &c, unsigned bytes, const LaneAccess &access,
                  uint32_t mask) {
  const Block &block = *c.block;
  forLanes(mask, [&](unsigned l) {
    uint64_t begin = access.addresses[l], end = begin + bytes;
    if (end <= block.sourcesBegin || begin >= block.sourcesEnd)
      return;
    for (const Copy &copy : block.copies)
      if (copy.active && copy.sourceBytes &&
          begin < copy.source + copy.sourceBytes && end > copy.source) {
        report(c, FindingKind::MissingAsyncWait, int(l),
               "overwrites what a copy reads before the thread that issued it "
               "has waited for it",
               Space::Global, begin,
               {"the copy: " + placeText(*c.launch, copy.line) +
                ", issued by warp " + std::to_string(copy.warp) + ", lane " +
                std::to_string(copy.lane)});
        return;
      }
  });
}

void resolveGlobal(Context &c, unsigned bytes, AccessKind kind,
                   LaneAccess &access, uint32_t mask, Space space) {
  Warp &warp = *c.warp;
  uint32_t bad = 0;
  // Mostly all lanes are where the warp was before.
  uint32_t unknown = mask;
  const MemoryRange &last = warp.lastRange;
  if (last.end - last.begin >= bytes && !(kind.writes && last.readOnly)) {
    uint64_t most = last.end - last.begin - bytes;
    // Negative, as a signed number, before the range and after it. Lanes that
    // take no part may be anywhere, and then it takes longer.
    uint64_t outside = 0;
    for (unsigned l = 0; l < warpSize; ++l) {
      uint64_t offset = access.addresses[l] - last.begin;
      outside |= offset | (most - offset);
    }
    if (!(outside >> 63)) {
      unknown = 0;
      auto data = reinterpret_cast<uintptr_t>(last.data) - last.begin;
      for (unsigned l = 0; l < warpSize; ++l)
        access.data[l] =
            reinterpret_cast<uint8_t *>(data + access.addresses[l]);
      access.hasShadow |= last.shadow != nullptr;
      auto shadow = reinterpret_cast<uintptr_t>(last.shadow) - last.begin;
      for (unsigned l = 0; l < warpSize; ++l)
        access.shadow[l] =
            last.shadow
                ? reinterpret_cast<uint8_t *>(shadow + access.addresses[l])
                : nullptr;
    }
  }
  forLanes(unknown, [&](unsigned l) {
    uint64_t address = access.addresses[l];
    if (address < warp.lastRange.begin ||
        address + bytes > warp.lastRange.end || address + bytes < address) {
      const MemoryRange *range = c.launch->memory.find(address, bytes);
      if (!range) {
        report(c, FindingKind::OutOfBounds, int(l),
               "expected " + bytesText(bytes) +
                   " within an allocation, found " +
                   c.launch->memory.describe(address),
               space, address);
        bad |= uint32_t(1) << l;
        return;
      }
      warp.lastRange = *range;
    }
    const MemoryRange &range = warp.lastRange;
    if (kind.writes && range.readOnly) {
      report(c, FindingKind::ReadOnly, int(l),
             "expected memory that can be written, found constant memory",
             space, address);
      bad |= uint32_t(1) << l;
      return;
    }
    access.data[l] = range.data + (address - range.begin);
    access.shadow[l] =
        range.shadow ? range.shadow + (address - range.begin) : nullptr;
    access.hasShadow |= range.shadow != nullptr;
  });
  access.mask &= ~bad;
  mask &= ~bad;
  if (!mask)
    return;
  access.global |= mask;
  Counters &counters = c.block->counters;
  count(space == Space::Const ? counters.constant : counters.global, kind, mask,
        bytes);
  if (space != Space::Const)
    countSectors(counters, access, mask, bytes);
  if (kind.writes && c.block->activeCopies)
    checkSources(c, bytes, access, mask);
  if (c.block->clocks && space != Space::Const)
    checkRace(c, *c.launch->globalHistory, Space::Global, bytes, kind, access,
              mask);
}

void resolveShared(Context &c, unsigned bytes, AccessKind kind,
                   LaneAccess &access, uint32_t mask) {
  Block &block = *c.block;
  uint32_t bad = 0;
  const SharedRange *range = nullptr;
  uint32_t reported = 0;
  forLanes(mask, [&](unsigned l) {
    uint64_t address = access.addresses[l];
    if (!range || address < range->begin || address + bytes > range->end) {
      range = nullptr;
      for (const SharedRange &candidate : block.sharedRanges)
        if (address >= candidate.begin && address + bytes <= candidate.end &&
            address + bytes > address)
          range = &candidate;
      if (!range) {
        std::string found = "address " + std::to_string(address);
        for (const SharedRange &candidate : block.sharedRanges)
          if (address + bytes > candidate.end && address <= candidate.end + 256)
            found = bytesText(unsigned(address + bytes - candidate.end)) +
                    " beyond a variable of " +
                    bytesText(candidate.end - candidate.begin);
        report(c, FindingKind::OutOfBounds, int(l),
               "expected " + bytesText(bytes) +
                   " within a shared variable, found " + found,
               Space::Shared, address);
        bad |= uint32_t(1) << l;
        return;
      }
    }
    access.data[l] = block.shared.data() + address;
    access.shadow[l] = block.sharedShadow.data() + address;
    access.hasShadow = true;
    if (!block.sharedPending.empty())
      for (uint64_t word = address / 4; word <= (address + bytes - 1) / 4;
           ++word)
        if (uint32_t pending = block.sharedPending[word]) {
          const Copy &copy = block.copies[pending - 1];
          if (!reported)
            report(c, FindingKind::MissingAsyncWait, int(l),
                   std::string(kind.writes ? "overwritten" : "read") +
                       " before the thread that issued the copy has waited "
                       "for it: " +
                       (copy.group >= block.warps[copy.warp].groups[copy.lane]
                            ? "its group was never committed"
                            : "cp.async.wait_group for its group is missing, "
                              "or allows too many pending groups"),
                   Space::Shared, address,
                   {"the copy: " + placeText(*c.launch, copy.line) +
                    ", issued by warp " + std::to_string(copy.warp) +
                    ", lane " + std::to_string(copy.lane)});
          reported = 1;
          break;
        }
  });
  access.mask &= ~bad;
  mask &= ~bad;
  if (!mask)
    return;
  count(block.counters.shared, kind, mask, bytes);
  countBanks(block.counters, access, mask, bytes);
  if (block.clocks)
    checkRace(c, *block.sharedHistory, Space::Shared, bytes, kind, access,
              mask);
}

void resolveLocal(Context &c, unsigned bytes, AccessKind kind,
                  LaneAccess &access, uint32_t mask) {
  uint32_t bad = 0;
  forLanes(mask, [&](unsigned l) {
    uint64_t address = access.addresses[l];
    Frame *frame = c.frame;
    while (frame && address < frame->localBase)
      frame = frame->parent;
    bool inside = false;
    if (frame) {
      uint64_t offset = address - frame->localBase;
      for (const auto &[begin, end] : frame->code.localRanges)
        inside |= offset >= begin && offset + bytes <= end;
      if (inside) {
        size_t at = size_t(l) * frame->code.localBytes + offset;
        access.data[l] = frame->local.data() + at;
        access.shadow[l] = frame->localShadow.data() + at;
        access.hasShadow = true;
      }
    }
    if (!inside) {
      report(c, FindingKind::OutOfBounds, int(l),
             "expected " + bytesText(bytes) +
                 " within a local variable of a running function, found "
                 "another address",
             Space::Local, address);
      bad |= uint32_t(1) << l;
    }
  });
  access.mask &= ~bad;
  count(c.block->counters.local, kind, mask & ~bad, bytes);
}

void resolveParam(Context &c, unsigned bytes, AccessKind kind,
                  LaneAccess &access, uint32_t mask) {
  uint32_t bad = 0;
  std::vector<uint8_t> &parameters = c.launch->parameters;
  forLanes(mask, [&](unsigned l) {
    uint64_t address = access.addresses[l];
    if (kind.writes) {
      report(c, FindingKind::ReadOnly, int(l),
             "parameters of a kernel cannot be written", Space::Param, address);
      bad |= uint32_t(1) << l;
    } else if (address + bytes > parameters.size() ||
               address + bytes < address) {
      report(c, FindingKind::OutOfBounds, int(l),
             "expected " + bytesText(bytes) + " within " +
                 bytesText(unsigned(parameters.size())) + " of parameters",
             Space::Param, address);
      bad |= uint32_t(1) << l;
    } else {
      access.data[l] = parameters.data() + address;
      access.shadow[l] = nullptr;
    }
  });
  access.mask &= ~bad;
  count(c.block->counters.parameter, kind, mask & ~bad, bytes);
}

/// .param variables of a function: nothing counts, ptxas makes registers of
/// them.
void resolveFrame(Context &c, unsigned bytes, LaneAccess &access,
                  uint32_t mask) {
  uint32_t bad = 0;
  Frame &frame = *c.frame;
  forLanes(mask, [&](unsigned l) {
    uint64_t address = access.addresses[l];
    if (address + bytes > frame.code.paramBytes || address + bytes < address) {
      report(c, FindingKind::OutOfBounds, int(l),
             "expected " + bytesText(bytes) + " within a .param variable",
             Space::Param, address);
      bad |= uint32_t(1) << l;
      return;
    }
    size_t at = size_t(l) * frame.code.paramBytes + address;
    access.data[l] = frame.params.data() + at;
    access.shadow[l] = frame.paramShadow.data() + at;
    access.hasShadow = true;
  });
  access.mask &= ~bad;
}

void resolveIn(Context &c, Space space, unsigned bytes, AccessKind kind,
               LaneAccess &access, uint32_t mask) {
  switch (space) {
  case Space::Shared:
    return resolveShared(c, bytes, kind, access, mask);
  case Space::Local:
    return resolveLocal(c, bytes, kind, access, mask);
  case Space::Param:
    return resolveParam(c, bytes, kind, access, mask);
  case Space::Register:
    return resolveFrame(c, bytes, access, mask);
  default:
    return resolveGlobal(c, bytes, kind, access, mask, space);
  }
}

} // namespace

void muon::ptxsim::resolve(Context &c, Space space, unsigned bytes,
                           AccessKind kind, LaneAccess &access,
                           unsigned alignment) {
  if (!alignment)
    alignment = bytes;
  if (uint32_t lanes = misaligned(access, alignment)) {
    int lane = __builtin_ctz(lanes);
    report(c, FindingKind::Misaligned, lane,
           "expected a multiple of " + std::to_string(alignment) + ", found " +
               hex(access.addresses[lane]),
           space, access.addresses[lane]);
    access.mask &= ~lanes;
  }
  if (space != Space::Generic) {
    if (access.mask)
      resolveIn(c, space, bytes, kind, access, access.mask);
    return;
  }
  uint32_t inShared = 0, inLocal = 0, inParam = 0;
  for (unsigned l = 0; l < warpSize; ++l) {
    uint64_t window = access.addresses[l] & ~(windowSize - 1);
    inShared |= uint32_t(window == sharedWindow) << l;
    inLocal |= uint32_t(window == localWindow) << l;
    inParam |= uint32_t(window == paramWindow) << l;
  }
  inShared &= access.mask;
  inLocal &= access.mask;
  inParam &= access.mask;
  uint32_t inGlobal = access.mask & ~(inShared | inLocal | inParam);
  auto within = [&](uint32_t lanes, Space which, uint64_t window) {
    if (!lanes)
      return;
    forLanes(lanes, [&](unsigned l) { access.addresses[l] -= window; });
    resolveIn(c, which, bytes, kind, access, lanes);
  };
  within(inShared, Space::Shared, sharedWindow);
  within(inLocal, Space::Local, localWindow);
  within(inParam, Space::Param, paramWindow);
  within(inGlobal, Space::Global, 0);
}
