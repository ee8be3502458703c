//===- FakeRegion.h - Memory that ranks share -------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TEST_UNIT_RUNTIME_FAKENCCL_FAKEREGION_H
#define MUON_MLIR_TEST_UNIT_RUNTIME_FAKENCCL_FAKEREGION_H

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace muon::fakenccl {

/// A file that all ranks of a communicator map: who is there, and for each pair
/// of ranks the bytes that are on their way. A file of zeros is the beginning.
class Region {
public:
  static constexpr int mostRanks = 64;
  /// Small, so that most data takes several.
  static constexpr size_t slotBytes = 1000;

  Region() = default;
  Region(const Region &) = delete;
  Region &operator=(const Region &) = delete;
  ~Region() {
    if (memory)
      ::munmap(memory, bytes());
  }

  bool open(const std::string &file, int count) {
    path = file;
    ranks = count;
    int descriptor = ::open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (descriptor < 0)
      return false;
    void *mapped = MAP_FAILED;
    if (::ftruncate(descriptor, off_t(bytes())) == 0)
      mapped = ::mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_SHARED,
                      descriptor, 0);
    ::close(descriptor);
    if (mapped != MAP_FAILED)
      memory = static_cast<char *>(mapped);
    return memory;
  }

  /// False if another one is this rank already.
  bool attach(int rank) {
    if (head()->isThere[rank].exchange(1))
      return false;
    ++head()->attached;
    return true;
  }
  bool isComplete() {
    if (head()->attached != uint32_t(ranks))
      return false;
    // Nobody else has to find it.
    unlink();
    return true;
  }
  void unlink() {
    if (!path.empty())
      ::unlink(path.c_str());
    path.clear();
  }

  void finalize() { ++head()->finalized; }
  bool isFinalized() const { return head()->finalized == uint32_t(ranks); }

  /// Sends what fits; 0 if the last bytes are still there.
  size_t push(int from, int to, const char *data, size_t count) {
    Slot &slot = at(from, to);
    if (slot.isFull)
      return 0;
    slot.count = uint32_t(count < slotBytes ? count : slotBytes);
    std::memcpy(slot.data, data, slot.count);
    slot.isFull = 1;
    return slot.count;
  }
  /// Appends what has come.
  bool pop(int from, int to, std::string &data) {
    Slot &slot = at(from, to);
    if (!slot.isFull)
      return false;
    data.append(slot.data, slot.count);
    slot.isFull = 0;
    return true;
  }

private:
  struct Head {
    std::atomic<uint32_t> attached, finalized;
    std::atomic<uint32_t> isThere[mostRanks];
  };
  struct Slot {
    std::atomic<uint32_t> isFull;
    uint32_t count;
    char data[slotBytes];
  };
  static_assert(std::atomic<uint32_t>::is_always_lock_free);

  size_t bytes() const {
    return sizeof(Head) + size_t(ranks * ranks) * sizeof(Slot);
  }
  Head *head() const { return std::launder(reinterpret_cast<Head *>(memory)); }
  Slot &at(int from, int to) const {
    return std::launder(
        reinterpret_cast<Slot *>(memory + sizeof(Head)))[from * ranks + to];
  }

  std::string path;
  int ranks = 0;
  char *memory = nullptr;
};

} // namespace muon::fakenccl

#endif // MUON_MLIR_TEST_UNIT_RUNTIME_FAKENCCL_FAKEREGION_H
