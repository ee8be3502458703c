//===- PTXSim.h - Executing PTX on the CPU ----------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs PTX text (PTX ISA 7.0 to 9.0, up to the instructions of sm_80) on the
// CPU, exactly and suspiciously: what a GPU may do in any order is done in a
// seeded random order, and what a program may not rely on is reported when it
// does. See docs/ptxsim.md.
//
//   std::vector<ParseError> errors;
//   auto module = Module::parse(text, "kernel.ptx", errors);
//   Device device;
//   uint64_t x = device.allocate(4 * n, "x");
//   device.write(x, host, 4 * n);
//   LaunchOptions options;
//   options.grid = {n / 128};
//   options.block = {128};
//   Parameters parameters;
//   parameters.add(x).add(uint32_t(n));
//   LaunchResult result = device.launch(module, "scale", parameters, options);
//
// Nothing here throws but for std::bad_alloc; errors are values.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_PTXSIM_PTXSIM_H
#define MUON_MLIR_PTXSIM_PTXSIM_H

#include <array>
#include <cstdint>
#include <cstring>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace muon::ptxsim {

struct Program;

/// What is wrong with a line of PTX.
struct ParseError {
  /// Counted from 1.
  unsigned line = 0;
  /// The line, as it stands in the file.
  std::string text;
  std::string message;
};

/// One parameter of a kernel.
struct ParameterInfo {
  std::string name;
  /// As declared, without the dot: `u64`, `f32`, `b8` for an aggregate.
  std::string type;
  /// Place among the parameters, in bytes.
  uint32_t offset = 0, size = 0, alignment = 0;
};

/// What a kernel needs before it runs. Registers are the largest number of
/// 32-bit registers that are live at once in any one function, which bounds
/// from below what ptxas assigns; predicates are not counted.
struct KernelResources {
  uint32_t registers = 0;
  uint32_t staticSharedBytes = 0;
  /// Bytes per thread of the kernel and of each function it declares.
  uint32_t localBytes = 0;
  uint32_t parameterBytes = 0;
  /// `.reqntid`, `.maxntid`, `.maxnreg`, `.minnctapersm`; 0 where not given.
  std::array<uint32_t, 3> requiredThreads{}, maxThreads{};
  uint32_t maxRegisters = 0, minBlocksPerMultiprocessor = 0;
};

struct KernelInfo {
  std::string name;
  std::vector<ParameterInfo> parameters;
  KernelResources resources;
};

/// PTX text that was read and checked. Immutable; any number of devices and
/// threads may use one.
class Module {
public:
  /// Null if the text is wrong, with every error that was found.
  static std::shared_ptr<const Module> parse(std::string_view text,
                                             std::string name,
                                             std::vector<ParseError> &errors);
  ~Module();
  Module(const Module &) = delete;
  Module &operator=(const Module &) = delete;

  const std::string &name() const;
  /// `.version` times ten and the number in `.target sm_N`.
  unsigned isaVersion() const;
  unsigned target() const;
  const std::vector<KernelInfo> &kernels() const;
  /// Null if there is no such kernel.
  const KernelInfo *find(std::string_view kernel) const;

  const Program &program() const { return *impl; }

private:
  Module();
  std::unique_ptr<Program> impl;
};

struct Dim3 {
  uint32_t x = 1, y = 1, z = 1;
  uint64_t count() const { return uint64_t(x) * y * z; }
};

/// The packed parameters of a launch. Each value is placed at the next multiple
/// of its own alignment, as a C structure would.
class Parameters {
public:
  template <class T>
  Parameters &add(const T &value) {
    static_assert(std::is_trivially_copyable_v<T>);
    return addBytes(&value, sizeof(T), alignof(T));
  }
  Parameters &addBytes(const void *from, size_t size, size_t alignment) {
    bytes.resize((bytes.size() + alignment - 1) / alignment * alignment);
    size_t at = bytes.size();
    bytes.resize(at + size);
    std::memcpy(bytes.data() + at, from, size);
    return *this;
  }
  const std::vector<uint8_t> &packed() const { return bytes; }

private:
  std::vector<uint8_t> bytes;
};

/// When a value that depends on bits that were never written is reported.
enum class UndefinedUse : uint8_t {
  /// As the operand of any arithmetic, as an address, in a branch, in a store
  /// to
  /// global memory. Copies, selections and operations on bits pass it on.
  Arithmetic,
  /// Arithmetic passes it on too: for code that computes values it then drops.
  Effects
};

struct LaunchOptions {
  Dim3 grid, block;
  /// Bytes of `.extern .shared` memory.
  uint32_t dynamicSharedBytes = 0;
  /// Decides the order of warps and when asynchronous work completes.
  uint64_t seed = 0;
  /// Detect data races. Everything else is always checked.
  bool detectRaces = true;
  UndefinedUse undefinedUse = UndefinedUse::Arithmetic;
  /// Threads of the host; 0 for one per core. With one, a seed reproduces the
  /// order of blocks too.
  unsigned hostThreads = 0;
  /// Warp instructions after which a launch counts as one that does not end; 0
  /// for no limit.
  uint64_t maxInstructions = 20'000'000'000;
  /// Different findings after which a launch ends.
  unsigned maxFindings = 20;
  /// Limits of the machine; those of sm_80. More than 1024 threads are never
  /// allowed.
  uint32_t maxSharedBytes = 163 * 1024;
  uint32_t maxThreadsPerBlock = 1024;
  uint32_t registersPerBlock = 65536;
  /// If set, each instruction of each warp is written here; implies one host
  /// thread.
  std::ostream *trace = nullptr;
};

enum class FindingKind : uint8_t {
  /// Outside every allocation, past the end of one, or in one that was freed.
  OutOfBounds,
  Misaligned,
  /// A store to constant memory or to parameters of a kernel.
  ReadOnly,
  UndefinedValue,
  DataRace,
  /// Memory read or overwritten while cp.async may still write it: the wait, or
  /// the commit, is missing.
  MissingAsyncWait,
  /// Wrong number of threads, or threads of one warp at different barriers.
  BarrierMisuse,
  /// Threads that a warp-synchronous instruction names do not execute it
  /// together.
  WarpDivergence,
  /// No thread can go on.
  Deadlock,
  /// More instructions than LaunchOptions::maxInstructions, or calls nested too
  /// deeply.
  NoProgress,
  /// Shared memory, registers or threads beyond the limits, or other than the
  /// kernel's directives allow; wrong parameters.
  Launch,
  /// `trap`, or a call of something that is no function.
  Trap,
  /// An operand outside of what the instruction defines.
  InvalidOperand
};

/// `out-of-bounds`, `data-race`, ...
const char *findingName(FindingKind kind);

/// A defect, at the first place where it showed. Later ones of the same kind at
/// the same instruction only count.
struct Finding {
  FindingKind kind = FindingKind::Launch;
  std::string kernel;
  /// Of the PTX; 0 if it belongs to no instruction.
  unsigned line = 0;
  /// The text of the instruction.
  std::string instruction;
  Dim3 block{0, 0, 0}, thread{0, 0, 0};
  /// Warp within the block, lane within the warp; -1 if there is none.
  int warp = -1, lane = -1;
  /// Address and `global`, `shared`, ...; empty if it is not about memory.
  uint64_t address = 0;
  std::string space;
  /// What was expected and what was found.
  std::string message;
  /// The other side of a race, what every warp waits for, ...
  std::vector<std::string> notes;
  uint64_t count = 1;

  /// The finding as several lines of text.
  std::string text() const;
};

enum class InstructionClass : uint8_t {
  Integer,
  Float,
  Convert,
  Logic,
  Move,
  Control,
  Memory,
  Atomic,
  WarpSync,
  Barrier,
  Tensor,
  Async
};
constexpr unsigned numInstructionClasses = 12;
const char *instructionClassName(InstructionClass cls);

/// What a launch did. The same for every seed, but for code whose control flow
/// depends on the order of threads.
struct Counters {
  /// Instructions by class: issued for a warp, and times the threads that
  /// executed them.
  std::array<uint64_t, numInstructionClasses> warpInstructions{},
      threadInstructions{};
  /// Multiplications and additions of mma instructions by the type of A.
  struct {
    uint64_t f16 = 0, bf16 = 0, tf32 = 0, f64 = 0;
  } tensorFlops;
  struct Traffic {
    uint64_t readBytes = 0, writtenBytes = 0;
  };
  /// Bytes asked for by threads. Atomics count as read and written.
  Traffic global, shared, local, constant, parameter;
  /// cp.async, from global to shared memory; part of those above.
  uint64_t asyncBytes = 0;
  /// Instructions that access global memory, and the 32-byte sectors they
  /// touch.
  uint64_t globalRequests = 0, globalSectors = 0;
  /// The least number of sectors that could hold the bytes of each request.
  uint64_t globalSectorsIdeal = 0;
  /// Instructions that access shared memory, the passes over its 32 banks that
  /// they need, and those beyond what their width needs.
  uint64_t sharedRequests = 0, sharedWavefronts = 0, sharedBankConflicts = 0;
  /// Times that a warp, or lanes of it that came apart from the others, arrived
  /// at a barrier of the block to wait.
  uint64_t barrierWaits = 0;

  uint64_t totalWarpInstructions() const;
  void add(const Counters &other);
  /// One object of JSON.
  std::string json() const;
};

struct LaunchResult {
  std::vector<Finding> findings;
  Counters counters;
  /// There were more findings than maxFindings.
  bool truncated = false;

  explicit operator bool() const { return findings.empty(); }
};

/// Global memory, and modules loaded into it. Addresses are those of the
/// simulated machine: allocations lie apart, so that no access reaches from one
/// into the next. Not safe for use by several threads at once.
class Device {
public:
  Device();
  ~Device();
  Device(const Device &) = delete;
  Device &operator=(const Device &) = delete;

  /// Memory that is undefined until it is written. 0 if there is not enough.
  uint64_t allocate(uint64_t bytes, std::string name = "",
                    uint64_t alignment = 256);
  /// The caller's memory, defined, as global memory. The caller keeps it alive
  /// until it is freed here.
  uint64_t map(void *memory, uint64_t bytes, std::string name = "",
               uint64_t alignment = 256);
  /// False if nothing was allocated there.
  bool free(uint64_t address);

  /// False, with nothing done, if the range is not within one allocation.
  bool write(uint64_t address, const void *from, uint64_t bytes);
  bool read(uint64_t address, void *to, uint64_t bytes) const;
  /// The number of bytes of the range that were never written; all if the range
  /// is not within one allocation.
  uint64_t undefinedBytes(uint64_t address, uint64_t bytes) const;

  /// The address of a `.global` or `.const` variable; loads the module if that
  /// was not done. 0 if there is none.
  uint64_t symbol(const std::shared_ptr<const Module> &module,
                  std::string_view name, uint64_t *bytes = nullptr);

  /// Runs a kernel to its end.
  LaunchResult launch(const std::shared_ptr<const Module> &module,
                      std::string_view kernel, const Parameters &parameters,
                      const LaunchOptions &options);

private:
  struct Impl;
  std::unique_ptr<Impl> impl;
};

/// A table, in Markdown, of the instructions that are executed.
std::string instructionsMarkdown();

} // namespace muon::ptxsim

#endif // MUON_MLIR_PTXSIM_PTXSIM_H
