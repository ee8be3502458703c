//===- Races.cpp - Races between accesses to memory -----------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The accesses that memory remembers, and which of them race with a new one.
// Clocks.h has what threads know of each other.
//
// Memory: each cell of 4 bytes (of 2 or 1 in pages where an access needed it)
// keeps the accesses a later one could race with. An access leaves the cell
// when another takes its place: one that happens after it, and that races with
// all that it could race with.
//
// The rules are those of the PTX ISA, Memory Consistency Model: Morally Strong
// Operations, Release and Acquire Patterns, Observation Order, Synchronizes
// Order, Causality Order, Data-races. Beyond program order and synchronization,
// causality order puts a strong write before what follows a strong read that
// observed it: a thread may reset with a plain store the counter it has just
// seen reach its end.
//
// Not as the manual has it:
// - fence.sc orders as fence.acq_rel does: the order of two fence.sc is an
//   accident of the schedule, and would hide races.
// - Strong accesses of different sizes to the same bytes do not race (the
//   manual wants them to overlap completely), as the parts of a vector access
//   are accesses of their own; they do not synchronize either.
// - An atomic takes the place of one by another block that it observed, also
//   where a third one, of scope cta, would race with the latter alone.
// - Who observes a strong write is also taken to be after the strong accesses
//   to that location which happened before that write.
// - Global memory keeps at most maxShared accesses for each cell: of many
//   readers, some are forgotten.
//
//===----------------------------------------------------------------------===//

#include "Races.h"

#include "Clocks.h"

#include <algorithm>
#include <mutex>
#include <unordered_map>
#include <utility>

using namespace muon::ptxsim;
using namespace muon::ptxsim::races;

//===----------------------------------------------------------------------===//
// Cells
//===----------------------------------------------------------------------===//

namespace {

enum Flags : uint32_t {
  Write = 1,
  Strong = 2,
  /// Of a scope beyond the block. Within a launch there is nothing beyond the
  /// device.
  Wide = 4,
  /// The last write, or a strong one that an unbroken chain of atomics links to
  /// it: whoever reads the last one, strongly, observes it.
  Chain = 8,
  Last = 16
};
constexpr unsigned flagBits = 5;

/// Accesses by lanes of one warp at the same clock.
struct Entry {
  uint32_t block, lanes, when, what;

  uint32_t clock() const { return when >> warpBits; }
  unsigned warp() const { return when & (warpSize - 1); }
  unsigned thread(unsigned lane) const { return warp() * warpSize + lane; }
  uint32_t instruction() const { return what >> flagBits; }
  bool is(uint32_t flag) const { return what & flag; }
};
static_assert(sizeof(Entry) == 16, "cells are meant to be small");

/// Entries beyond the first of a cell.
struct Overflow {
  uint16_t count = 0, capacity = 0;
  /// How many of them are writes: mostly none, and then a read need not look.
  uint32_t writes = 0;
  Entry *entries() { return reinterpret_cast<Entry *>(this + 1); }

  static Overflow *make(uint32_t capacity) {
    void *at = ::operator new(sizeof(Overflow) + capacity * sizeof(Entry));
    auto *result = new (at) Overflow;
    result->capacity = capacity;
    return result;
  }
};
static_assert(sizeof(Overflow) % alignof(Entry) == 0, "entries follow it");

/// Accesses to a few bytes, in no order. No lanes in the first: none at all.
struct Cell {
  Cell() = default;
  Cell(const Cell &) = delete;
  ~Cell() { ::operator delete(more); }

  void copyFrom(const Cell &other) {
    first = other.first;
    if (!other.more || !other.more->count)
      return;
    more = Overflow::make(other.more->capacity);
    more->count = other.more->count;
    more->writes = other.more->writes;
    std::copy_n(other.more->entries(), more->count, more->entries());
  }
  unsigned size() const {
    return first.lanes ? 1 + (more ? more->count : 0) : 0;
  }
  Entry &operator[](unsigned i) { return i ? more->entries()[i - 1] : first; }
  void remove(unsigned i) {
    if (!more || !more->count) {
      first.lanes = 0;
      return;
    }
    const Entry &last = more->entries()[--more->count];
    more->writes -= (i ? (*this)[i] : last).is(Write);
    (*this)[i] = last;
  }
  void add(const Entry &entry) {
    if (!first.lanes) {
      first = entry;
      return;
    }
    if (!more)
      more = Overflow::make(3);
    if (more->count == more->capacity) {
      Overflow *larger = Overflow::make(more->capacity * 2 + 1);
      larger->count = more->count;
      larger->writes = more->writes;
      std::copy_n(more->entries(), more->count, larger->entries());
      ::operator delete(more);
      more = larger;
    }
    more->entries()[more->count++] = entry;
    more->writes += entry.is(Write);
  }

  Entry first{0, 0, 0, 0};
  Overflow *more = nullptr;
};
static_assert(sizeof(Cell) == 24, "cells are meant to be small");

/// Entries kept for each cell of global memory, where the number of warps that
/// may read a cell is not bounded.
constexpr unsigned maxShared = 8;

struct Moment {
  uint32_t block, thread, clock;
  bool operator==(const Moment &o) const {
    return block == o.block && thread == o.thread && clock == o.clock;
  }
};

/// A strong read that observed a strong write which does not happen before it.
struct Observation {
  Moment write, read;
};

/// What acquires a location gives to those who read its last write, if that was
/// strong: the cell knows.
struct Location {
  struct Release {
    uint32_t block, thread;
    Ref<Knowledge> any, wide;
  };

  unsigned bytes = 0;
  /// Released with a scope beyond the block.
  Ref<Knowledge> wide;
  /// Released with any scope.
  Ref<ByBlock> byBlock;
  /// Release operations here, for later strong writes of the same thread: the
  /// last few threads.
  std::vector<Release> releases;
};

/// A cp.async that has been issued.
struct AsyncWrite {
  uint32_t block, thread, instruction;
  /// Within the page.
  uint16_t begin, end;
};

constexpr unsigned pageBits = 12, pageBytes = 1 << pageBits;
constexpr unsigned wordBits = 2, granuleBits = 4;

/// What few pages have.
struct PageExtra {
  /// By offset of the first byte.
  std::unordered_map<uint16_t, Location> locations;
  /// By offset of the first byte of the cell.
  std::unordered_map<uint16_t, std::vector<Observation>> observations;
  /// By 16 bytes.
  std::vector<std::vector<AsyncWrite>> async;
};

struct Page {
  Page() : cells(new Cell[pageBytes >> wordBits]) {}

  PageExtra &more() {
    if (!extra)
      extra = std::make_unique<PageExtra>();
    return *extra;
  }
  void split(unsigned bits) {
    std::unique_ptr<Cell[]> finer(new Cell[pageBytes >> bits]);
    unsigned ratio = cellBits - bits;
    for (unsigned i = 0; i != pageBytes >> bits; ++i)
      finer[i].copyFrom(cells[i >> ratio]);
    if (extra) {
      auto coarse = std::move(extra->observations);
      extra->observations.clear();
      for (auto &[offset, list] : coarse)
        for (unsigned i = 0; i != 1u << ratio; ++i)
          extra->observations[offset + (i << bits)] = list;
    }
    cells = std::move(finer);
    cellBits = bits;
  }

  /// A cell has 1 << cellBits bytes.
  unsigned cellBits = wordBits;
  std::unique_ptr<Cell[]> cells;
  std::unique_ptr<PageExtra> extra;
};

/// An access, and what those who make it know.
struct Accessor {
  BlockClocks::Impl &clocks;
  uint32_t block;
  unsigned warp;
  /// All of them know the same and have the same clock.
  uint32_t lanes;
  uint32_t clock;
  const BlockTimes *times;
  const Knowledge *foreign;
  uint32_t flags, instruction;
  /// It reads what it overwrites.
  bool atomic;
  unsigned maxEntries;

  bool is(uint32_t flag) const { return flags & flag; }
  bool writes() const { return flags & Write; }
  bool isOfWarp(const Entry &entry) const {
    return entry.block == block && entry.warp() == warp;
  }

  void takeLanes(uint32_t which) {
    lanes = which;
    unsigned thread = warp * warpSize + firstLane(which);
    clock = clocks.clocks[thread];
    times = clocks.times[thread].get();
    foreign = clocks.foreign[thread].get();
  }

  /// The lanes of the entry whose accesses the accessor's knowledge has.
  uint32_t known(const Entry &entry) const {
    uint32_t clock = entry.clock(), result = 0;
    if (entry.block == block) {
      unsigned warp = entry.warp();
      if (times->least[warp] >= clock)
        return entry.lanes;
      if (times->greatest[warp] < clock)
        return 0;
      for (uint32_t rest = entry.lanes; rest; rest &= rest - 1)
        if (times->values[entry.thread(firstLane(rest))] >= clock)
          result |= rest & -rest;
      return result;
    }
    const BlockKnowledge *other = find(foreign, entry.block);
    if (!other)
      return 0;
    for (uint32_t rest = entry.lanes; rest; rest &= rest - 1)
      if ((*other)[entry.thread(firstLane(rest))] >= clock)
        result |= rest & -rest;
    return result;
  }

  /// It happened before all of the accessor's lanes.
  bool isAfter(const Moment &moment) const {
    Entry entry{moment.block, laneBit(moment.thread % warpSize),
                (moment.clock << warpBits) | (moment.thread / warpSize), 0};
    return (isOfWarp(entry) && lanes == entry.lanes) || known(entry);
  }

  bool isMorallyStrong(const Entry &entry) const {
    return is(Strong) && entry.is(Strong) &&
           (entry.block == block || (is(Wide) && entry.is(Wide)));
  }
};

/// Whatever races with b races with a, if it is ordered with neither.
bool covers(uint32_t a, uint32_t b, bool sameBlock) {
  if (!(a & Write) && (b & Write))
    return false;
  return !(a & Strong) ||
         ((b & Strong) && sameBlock && ((b & Wide) || !(a & Wide)));
}

/// The lanes of the entry, a strong write, that happened before something that
/// observed them and happened before the access.
uint32_t observedBefore(const PageExtra &extra, uint16_t offset,
                        const Entry &entry, uint32_t lanes,
                        const Accessor &by) {
  auto at = extra.observations.find(offset);
  if (at == extra.observations.end())
    return 0;
  uint32_t result = 0;
  for (; lanes; lanes &= lanes - 1) {
    Moment write{entry.block, entry.thread(firstLane(lanes)), entry.clock()};
    for (const Observation &observation : at->second)
      if (observation.write == write && by.isAfter(observation.read)) {
        result |= lanes & -lanes;
        break;
      }
  }
  return result;
}

void observe(PageExtra &extra, uint16_t offset, const Entry &entry,
             const Accessor &by) {
  constexpr size_t maxObservations = 32;
  std::vector<Observation> &list = extra.observations[offset];
  Moment write{entry.block, entry.thread(firstLane(entry.lanes)),
               entry.clock()};
  for (const Observation &observation : list)
    if (observation.write == write && by.isAfter(observation.read))
      return;
  if (list.size() == maxObservations)
    list.erase(list.begin());
  list.push_back(
      {write, {by.block, by.warp * warpSize + firstLane(by.lanes), by.clock}});
}

/// Observations that a write to the cell makes void: all, if it is after all
/// earlier accesses; else those of a write which it cannot be told from, by the
/// same thread at the same clock.
void forget(PageExtra &extra, uint16_t offset, const Accessor &by) {
  auto at = extra.observations.find(offset);
  if (at == extra.observations.end())
    return;
  std::vector<Observation> &list = at->second;
  if (by.is(Strong)) {
    Moment now{by.block, by.warp * warpSize + firstLane(by.lanes), by.clock};
    list.erase(std::remove_if(list.begin(), list.end(),
                              [&](auto &x) { return x.write == now; }),
               list.end());
  }
  if (list.empty() || !by.is(Strong))
    extra.observations.erase(at);
}

/// The access reads the value of the last write with both of them strong and in
/// each other's scope.
bool readsStrongly(Cell &cell, const Accessor &by) {
  if (by.is(Strong))
    for (unsigned i = 0, size = cell.size(); i != size; ++i)
      if (cell[i].is(Last))
        return by.isMorallyStrong(cell[i]);
  return false;
}

void makeRoom(Cell &cell, unsigned size, uint32_t salt) {
  // The last write and weak ones are what most races are with; of the others,
  // as any may be the one that matters, some are forgotten at random.
  unsigned start = salt * 2654435761u >> 16;
  for (unsigned i = 0; i != size; ++i) {
    unsigned victim = (start + i) % size;
    const Entry &entry = cell[victim];
    if (entry.is(Last) || (entry.is(Write) && !entry.is(Strong)))
      continue;
    cell.remove(victim);
    return;
  }
}

/// The entry is of the one lane that makes the access, or known to all lanes.
bool isOrdered(const Entry &entry, const Accessor &by) {
  if (entry.block == by.block) {
    if (entry.warp() == by.warp && entry.lanes == by.lanes &&
        isSingle(by.lanes))
      return true;
    if (by.times->least[entry.warp()] >= entry.clock())
      return true;
  }
  return by.known(entry) == entry.lanes;
}

/// Makes a weak read one of the accesses of a cell, if it does not race and
/// need not be compared with what else was read: false, with nothing done, if
/// not so.
bool readQuickly(Cell &cell, const Entry &entry, const Accessor &by) {
  Entry &first = cell.first;
  auto isLike = [&](const Entry &old) {
    return old.when == entry.when && old.block == entry.block;
  };
  if (!first.lanes) {
    first = entry;
    return true;
  }
  Overflow *more = cell.more;
  if (first.is(Write)) {
    if (first.is(Strong) || !isOrdered(first, by))
      return false;
    // Nothing by others can have come since, or the clock had ticked.
    if (isLike(first) && first.lanes == entry.lanes)
      return true;
  } else if (isLike(first) && first.what == entry.what) {
    if (more && more->writes)
      return false;
    first.lanes |= entry.lanes;
    return true;
  } else if ((!more || !more->count) && !first.is(Strong) &&
             isOrdered(first, by)) {
    first = entry;
    return true;
  }
  if (!more || more->writes)
    return false;
  Entry *entries = more->entries();
  for (unsigned i = more->count; i-- != 0;)
    if (isLike(entries[i]) && entries[i].what == entry.what) {
      entries[i].lanes |= entry.lanes;
      return true;
    }
  // Reads that this one could replace stay until there is no room.
  if (more->count == more->capacity)
    return false;
  entries[more->count++] = entry;
  return true;
}

/// Likewise a weak write of one lane.
bool writeQuickly(Cell &cell, const Entry &entry, const Accessor &by) {
  if (cell.first.lanes && !isOrdered(cell.first, by))
    return false;
  if (Overflow *more = cell.more; more && more->count) {
    for (unsigned i = 0; i != more->count; ++i)
      if (!isOrdered(more->entries()[i], by))
        return false;
    more->count = more->writes = 0;
  }
  cell.first = entry;
  return true;
}

/// Checks one cell, and unless it is only to be checked makes the access one of
/// its. True if there is a race.
bool visit(Page &page, unsigned index, const Accessor &by, bool checkOnly,
           RaceReport &race) {
  Cell &cell = page.cells[index];
  Entry entry{by.block, by.lanes, (by.clock << warpBits) | by.warp,
              (by.instruction << flagBits) | by.flags};
  unsigned size = cell.size();
  if (!size) {
    if (!checkOnly)
      cell.first = entry;
    return false;
  }
  uint16_t offset = index << page.cellBits;
  bool writes = by.writes(), raced = false, covered = false;
  bool linked = readsStrongly(cell, by);
  for (unsigned i = 0; i != size;) {
    Entry &old = cell[i];
    bool ofWarp = by.isOfWarp(old), sameBlock = old.block == by.block;
    // `gone` happened before one of the lanes, which is enough to take their
    // place; all but `open` happened before all of the lanes.
    uint32_t gone = old.lanes, open = 0;
    if (!ofWarp || old.lanes != by.lanes || !isSingle(by.lanes)) {
      uint32_t known = by.known(old);
      gone = known | (ofWarp ? old.lanes & by.lanes : 0);
      open = old.lanes & ~known;
      if (ofWarp && isSingle(by.lanes))
        open &= ~by.lanes;
    }
    bool races = open && (writes || old.is(Write)) && !by.isMorallyStrong(old);
    if (races && page.extra && old.is(Write) && old.is(Strong)) {
      open &= ~observedBefore(*page.extra, offset, old, open, by);
      races = open;
    }
    if (races && !raced) {
      raced = true;
      unsigned other = firstLane(open);
      uint32_t mine = by.lanes;
      if (ofWarp && !isSingle(mine))
        mine &= ~laneBit(other);
      race.lane = firstLane(mine);
      race.otherBlock = old.block;
      race.otherThread = old.thread(other);
      race.otherInstruction = old.instruction();
      race.otherWrites = old.is(Write);
      race.otherStrong = old.is(Strong);
    }
    if (checkOnly) {
      ++i;
      continue;
    }
    uint32_t drop = 0;
    if (writes) {
      // A weak write that gets here and does not race is after all lanes. After
      // a race one report is enough.
      if (races || !by.is(Strong))
        drop = old.lanes;
      else if (covers(by.flags, old.what, sameBlock))
        drop = gone;
      bool continues = by.atomic && linked;
      if (continues && old.is(Chain) &&
          (sameBlock ? covers(by.flags, old.what, true)
                     : by.is(Wide) && old.is(Wide)))
        drop = old.lanes;
      old.what &= ~(continues ? Last : Last | Chain);
    } else {
      // A strong write does not stand for the read: who observes the write
      // alone may take its place.
      if (ofWarp && old.clock() == by.clock && !(by.lanes & ~old.lanes) &&
          covers(old.what, by.flags, true) &&
          !(old.is(Write) && old.is(Strong))) {
        covered = true;
      } else if (!old.is(Write) && covers(by.flags, old.what, sameBlock)) {
        drop = gone;
      }
      if (linked && old.is(Chain) && (old.lanes & ~gone))
        observe(page.more(), offset, old, by);
    }
    old.lanes &= ~drop;
    if (!old.lanes) {
      cell.remove(i);
      --size;
      continue;
    }
    ++i;
  }
  if (checkOnly || covered)
    return raced;
  if (writes && page.extra && !page.extra->observations.empty())
    forget(*page.extra, offset, by);
  for (unsigned i = 0; i != size; ++i)
    if (Entry &old = cell[i]; old.block == entry.block &&
                              old.when == entry.when &&
                              old.what == entry.what) {
      old.lanes |= entry.lanes;
      return raced;
    }
  if (size >= by.maxEntries)
    makeRoom(cell, size, entry.when + entry.block * 31 + index);
  cell.add(entry);
  return raced;
}

} // namespace

//===----------------------------------------------------------------------===//
// AccessHistory
//===----------------------------------------------------------------------===//

struct AccessHistory::Impl {
  struct alignas(64) Stripe {
    std::mutex mutex;
    std::unordered_map<uint64_t, Page> pages;
    uint64_t lastNumber = ~uint64_t(0);
    Page *last = nullptr;
  };

  explicit Impl(bool concurrent)
      : concurrent(concurrent), stripes(concurrent ? 64 : 1) {}

  /// A page, which no other host thread uses meanwhile.
  class Use {
  public:
    explicit Use(Impl &impl) : impl(impl) {}
    Page &operator()(uint64_t number) {
      return page && number == current ? *page : turnTo(number);
    }

  private:
    Page &turnTo(uint64_t number) {
      Stripe &stripe =
          impl.stripes[(number ^ number >> 6) % impl.stripes.size()];
      if (impl.concurrent) {
        if (lock.owns_lock())
          lock.unlock();
        lock = std::unique_lock<std::mutex>(stripe.mutex);
      }
      if (stripe.lastNumber != number) {
        stripe.last = &stripe.pages[number];
        stripe.lastNumber = number;
      }
      current = number;
      return *(page = stripe.last);
    }

    Impl &impl;
    std::unique_lock<std::mutex> lock;
    uint64_t current = 0;
    Page *page = nullptr;
  };

  Accessor accessor(BlockClocks &block, unsigned warp, uint32_t instruction,
                    uint32_t flags) const {
    BlockClocks::Impl &clocks = block.state();
    return {clocks,
            clocks.block,
            warp,
            0,
            0,
            nullptr,
            nullptr,
            flags,
            instruction,
            false,
            concurrent ? maxShared : ~0u};
  }

  /// Visits the cells of a range.
  bool range(Use &use, const Accessor &by, uint64_t address, unsigned bytes,
             bool checkOnly, RaceReport &race);
  bool strong(Use &use, Accessor &by, const AccessKind &kind, uint64_t address,
              unsigned bytes, RaceReport &race);
  void acquire(Page &page, const Accessor &by, const AccessKind &kind,
               uint64_t address, unsigned bytes);
  void release(Page &page, const Accessor &by, const AccessKind &kind,
               uint64_t address, unsigned bytes, bool continues);

  bool concurrent;
  std::vector<Stripe> stripes;
};

bool AccessHistory::Impl::range(Use &use, const Accessor &by, uint64_t address,
                                unsigned bytes, bool checkOnly,
                                RaceReport &race) {
  bool quick = !by.is(Strong) && !checkOnly;
  Entry entry{by.block, by.lanes, (by.clock << warpBits) | by.warp,
              (by.instruction << flagBits) | by.flags};
  bool raced = false;
  RaceReport ignored;
  for (uint64_t at = address, end = address + bytes; at != end;) {
    Page &page = use(at >> pageBits);
    unsigned offset = at & (pageBytes - 1);
    unsigned part = std::min<uint64_t>(end - at, pageBytes - offset);
    unsigned odd = offset | part;
    if (odd & ((1u << page.cellBits) - 1))
      page.split(odd & 1 ? 0 : 1);
    unsigned step = 1u << page.cellBits;
    bool plain = quick && (!page.extra || !by.writes() ||
                           page.extra->observations.empty());
    for (unsigned i = 0; i != part; i += step) {
      Cell &cell = page.cells[(offset + i) >> page.cellBits];
      if (plain && (by.writes() ? writeQuickly(cell, entry, by)
                                : readQuickly(cell, entry, by)))
        continue;
      if (visit(page, (offset + i) >> page.cellBits, by, checkOnly,
                raced ? ignored : race) &&
          !raced) {
        raced = true;
        race.address = at + i;
      }
    }
    at += part;
  }
  return raced;
}

void AccessHistory::Impl::acquire(Page &page, const Accessor &by,
                                  const AccessKind &kind, uint64_t address,
                                  unsigned bytes) {
  if (!page.extra)
    return;
  auto found = page.extra->locations.find(address & (pageBytes - 1));
  if (found == page.extra->locations.end() || found->second.bytes != bytes)
    return;
  const Location &location = found->second;
  const Knowledge *own = find(location.byBlock.get(), by.block);
  Ref<Knowledge> block(own), wide = join(location.wide, block);
  if (!wide)
    return;
  unsigned thread = by.warp * warpSize + firstLane(by.lanes);
  BlockClocks::Impl::ThreadSync &sync = by.clocks.sync(thread);
  bool isWide = kind.scope != Scope::Block;
  if (kind.acquire) {
    by.clocks.acquire(thread, isWide ? wide : block);
    if (isWide)
      return;
  }
  sync.pending.block = join(sync.pending.block, block);
  sync.pending.wide = join(sync.pending.wide, wide);
  auto at = std::find_if(sync.at.begin(), sync.at.end(), [&](const auto &x) {
    return x.address == address && x.history == this;
  });
  if (at == sync.at.end()) {
    constexpr size_t maxPending = 8;
    if (sync.at.size() == maxPending)
      sync.at.erase(sync.at.begin());
    sync.at.emplace_back();
    at = sync.at.end() - 1;
    at->address = address;
    at->history = this;
  }
  at->block = join(at->block, block);
  at->wide = join(at->wide, wide);
}

void AccessHistory::Impl::release(Page &page, const Accessor &by,
                                  const AccessKind &kind, uint64_t address,
                                  unsigned bytes, bool continues) {
  unsigned thread = by.warp * warpSize + firstLane(by.lanes);
  BlockClocks::Impl &clocks = by.clocks;
  Ref<Knowledge> block, wide;
  if (!clocks.syncs.empty()) {
    // What a thread knows only grows: the last fence has it all.
    block = clocks.make(thread, clocks.syncs[thread].any);
    wide = clocks.make(thread, clocks.syncs[thread].wide);
  }
  uint16_t offset = address & (pageBytes - 1);
  Location *location = nullptr;
  if (page.extra) {
    auto found = page.extra->locations.find(offset);
    if (found != page.extra->locations.end())
      location = &found->second;
  }
  if (!location && !block && !kind.release)
    return;
  if (!location)
    location = &page.more().locations[offset];
  if (location->bytes != bytes) {
    *location = {};
    location->bytes = bytes;
  }
  auto mine = std::find_if(
      location->releases.begin(), location->releases.end(),
      [&](const auto &x) { return x.block == by.block && x.thread == thread; });
  if (kind.release) {
    Ref<Knowledge> now = clocks.make(thread, clocks.times[thread],
                                     clocks.foreign[thread], by.clock);
    if (mine == location->releases.end()) {
      constexpr size_t maxReleases = 32;
      if (location->releases.size() == maxReleases)
        location->releases.erase(location->releases.begin());
      location->releases.push_back({by.block, thread, {}, {}});
      mine = location->releases.end() - 1;
    }
    mine->any = now;
    if (kind.scope != Scope::Block)
      mine->wide = now;
  }
  if (mine != location->releases.end()) {
    block = join(block, mine->any);
    wide = join(wide, mine->wide);
  }
  if (!continues) {
    location->wide = {};
    location->byBlock = {};
  }
  location->wide = join(location->wide, wide);
  if (block) {
    const Knowledge *before = find(location->byBlock.get(), by.block);
    location->byBlock =
        with(location->byBlock, by.block, join(Ref<Knowledge>(before), block));
  }
}

/// One lane.
bool AccessHistory::Impl::strong(Use &use, Accessor &by, const AccessKind &kind,
                                 uint64_t address, unsigned bytes,
                                 RaceReport &race) {
  unsigned thread = by.warp * warpSize + firstLane(by.lanes);
  unsigned step = std::min(bytes, 1u << wordBits);
  uint32_t continues = 0;
  for (unsigned i = 0; i < bytes; i += step) {
    uint64_t at = address + i;
    Page &page = use(at >> pageBits);
    if (!page.extra)
      continue;
    Cell &cell = page.cells[(at & (pageBytes - 1)) >> page.cellBits];
    if (!kind.reads || !readsStrongly(cell, by))
      continue;
    acquire(page, by, kind, at, step);
    continues |= uint32_t(kind.atomic) << (i / step);
  }
  if (kind.acquire && kind.reads && !by.clocks.syncs.empty()) {
    for (BlockClocks::Impl::PendingAt &pending : by.clocks.syncs[thread].at)
      if (pending.history == this && pending.address >= address &&
          pending.address < address + bytes)
        by.clocks.acquire(thread, kind.scope != Scope::Block ? pending.wide
                                                             : pending.block);
  }
  by.takeLanes(by.lanes);
  bool raced = range(use, by, address, bytes, false, race);
  if (kind.writes)
    for (unsigned i = 0; i < bytes; i += step)
      release(use((address + i) >> pageBits), by, kind, address + i, step,
              continues >> (i / step) & 1);
  if (kind.release)
    by.clocks.tick(thread);
  return raced;
}

AccessHistory::AccessHistory(bool concurrent)
    : impl(std::make_unique<Impl>(concurrent)) {}
AccessHistory::~AccessHistory() = default;

bool AccessHistory::access(BlockClocks &block, unsigned warp, uint32_t lanes,
                           const uint64_t *addresses, unsigned bytes,
                           AccessKind kind, uint32_t instruction,
                           RaceReport &race) {
  uint32_t flags = kind.writes ? Write | Last : 0;
  if (kind.strong) {
    flags |= Strong | (kind.writes ? uint32_t(Chain) : 0);
    flags |= kind.scope != Scope::Block ? uint32_t(Wide) : 0;
  }
  Accessor by = impl->accessor(block, warp, instruction, flags);
  by.atomic = kind.atomic;
  Impl::Use use(*impl);
  bool raced = false;
  RaceReport ignored;
  auto isAsBefore = [&](unsigned thread) {
    return by.clocks.clocks[thread] == by.clock &&
           by.clocks.times[thread].get() == by.times &&
           by.clocks.foreign[thread].get() == by.foreign;
  };
  while (lanes) {
    unsigned lane = firstLane(lanes);
    uint64_t address = addresses[lane];
    bool found;
    if (kind.strong) {
      by.takeLanes(lanes & -lanes);
      lanes &= lanes - 1;
      found =
          impl->strong(use, by, kind, address, bytes, raced ? ignored : race);
    } else {
      if (by.times && isAsBefore(warp * warpSize + lane))
        by.lanes = laneBit(lane);
      else
        by.takeLanes(laneBit(lane));
      lanes &= lanes - 1;
      // Lanes that read one address are one visit.
      while (lanes && !kind.writes) {
        unsigned next = firstLane(lanes);
        if (addresses[next] != address || !isAsBefore(warp * warpSize + next))
          break;
        by.lanes |= laneBit(next);
        lanes &= lanes - 1;
      }
      found =
          impl->range(use, by, address, bytes, false, raced ? ignored : race);
    }
    raced |= found;
  }
  return raced;
}

bool AccessHistory::issueAsyncWrite(BlockClocks &block, unsigned warp,
                                    unsigned lane, uint64_t address,
                                    unsigned bytes, uint32_t instruction,
                                    RaceReport &race) {
  Accessor by = impl->accessor(block, warp, instruction, Write | Last);
  by.takeLanes(laneBit(lane));
  Impl::Use use(*impl);
  bool raced = impl->range(use, by, address, bytes, true, race);
  uint32_t thread = warp * warpSize + lane;
  for (uint64_t at = address, end = address + bytes; at != end;) {
    PageExtra &extra = use(at >> pageBits).more();
    if (extra.async.empty())
      extra.async.resize(pageBytes >> granuleBits);
    uint16_t begin = at & (pageBytes - 1);
    unsigned rest = (1u << granuleBits) - (begin & ((1u << granuleBits) - 1));
    uint16_t stop = begin + std::min<uint64_t>(end - at, rest);
    std::vector<AsyncWrite> &list = extra.async[begin >> granuleBits];
    for (const AsyncWrite &other : list) {
      if (raced || other.begin >= stop || other.end <= begin ||
          (other.block == by.block && other.thread == thread))
        continue;
      raced = true;
      race = {lane,
              at + std::max(begin, other.begin) - begin,
              other.block,
              other.thread,
              other.instruction,
              true,
              false};
    }
    list.push_back({by.block, thread, instruction, begin, stop});
    at += stop - begin;
  }
  return raced;
}

void AccessHistory::completeAsyncWrite(BlockClocks &block, unsigned warp,
                                       unsigned lane, uint64_t address,
                                       unsigned bytes, uint32_t instruction) {
  Accessor by = impl->accessor(block, warp, instruction, Write | Last);
  by.takeLanes(laneBit(lane));
  Impl::Use use(*impl);
  uint32_t thread = warp * warpSize + lane;
  for (uint64_t at = address, end = address + bytes; at != end;) {
    PageExtra &extra = use(at >> pageBits).more();
    uint16_t begin = at & (pageBytes - 1);
    unsigned rest = (1u << granuleBits) - (begin & ((1u << granuleBits) - 1));
    uint16_t stop = begin + std::min<uint64_t>(end - at, rest);
    if (!extra.async.empty()) {
      std::vector<AsyncWrite> &list = extra.async[begin >> granuleBits];
      auto mine = std::find_if(list.begin(), list.end(), [&](const auto &x) {
        return x.block == by.block && x.thread == thread && x.begin == begin &&
               x.end == stop && x.instruction == instruction;
      });
      if (mine != list.end())
        list.erase(mine);
    }
    at += stop - begin;
  }
  // Reported when it was issued.
  RaceReport ignored;
  impl->range(use, by, address, bytes, false, ignored);
}
