//===- FakeCuda.h - A CUDA driver that simulates its GPU --------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A shared library with the part of the C interface of libcuda.so.1 that the
// runtime uses, which executes kernels by PTXSim. It is lazy where the real
// driver may be: what is put on a stream runs when something waits for it, and
// not earlier. It is strict where the manual leaves no choice: objects of
// another context, memory that was freed, calls that a capture forbids.
//
// Work of other libraries, as NCCL's kernels are, may take turns with that of
// other threads until it is done.
//
// What it does not have: graphs of several streams, peer access, pools, and any
// notion of time. All devices share one space of addresses.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TEST_UNIT_RUNTIME_FAKECUDA_FAKECUDA_H
#define MUON_MLIR_TEST_UNIT_RUNTIME_FAKECUDA_FAKECUDA_H

#include <cstddef>
#include <cstdint>

#define FAKE_CUDA_API __attribute__((visibility("default")))

extern "C" {

struct FakeCudaStats {
  // What is alive.
  uint64_t retains, contexts, streams, events, modules, graphs, graphExecs,
      allocations, hostAllocations, bytes;
  // What was done.
  uint64_t captures, instantiations, graphLaunches, launches, executed,
      moduleLoads, uploads, syncs;
  /// Objects that were alive when their context went.
  uint64_t leaked;
  /// Bytes that were downloaded but never written.
  uint64_t undefinedBytes;
  /// Copies and launches that were put on the legacy default stream.
  uint64_t onDefaultStream;
};

/// Back to a machine on which nothing has happened, with these options,
/// `key=value,…`. Handles from before are invalid. False if an option is wrong.
///
///   devices=1        with 0, cuInit says that there is no device
///   driver=12040     CUDA version; it decides which PTX is too new
///   cc=80            compute capability
///   memory=BYTES     of each device, 256 MiB
///   seed=0           of the simulator
///   fail-alloc=N     the Nth cuMemAlloc finds no memory
///   fail-host=N      likewise cuMemAllocHost
///   fail-launch=N    the Nth cuLaunchKernel is refused
///   fail-kernel=N    the Nth kernel that executes fails
///   refuse-cubin=N   no cubin loads, with CUresult N
///   refuse-ptx=N     likewise PTX
///
/// Without a call, cuInit takes the options from MUON_FAKE_CUDA.
FAKE_CUDA_API bool fakeCudaReset(const char *options);
FAKE_CUDA_API void fakeCudaStats(FakeCudaStats *stats);
/// What PTXSim found, as text; valid until the next call.
FAKE_CUDA_API const char *fakeCudaFindings();

/// Puts on a stream that was created, or into the graph that it is captured
/// into, what a kernel of another library does: work(state) returns a CUresult,
/// CUDA_ERROR_NOT_READY to be called again later. `release` comes when no graph
/// and no stream has it any more. A CUresult.
FAKE_CUDA_API int fakeCudaLaunch(void *stream, int (*work)(void *), void *state,
                                 void (*release)(void *));
/// Whether a stream that was created is being captured.
FAKE_CUDA_API bool fakeCudaIsCapturing(void *stream);
/// What such work reads from and writes to memory of a device, at once. False
/// if it is none.
FAKE_CUDA_API bool fakeCudaMove(unsigned long long device, void *host,
                                size_t bytes, bool isWrite);
/// Whether that is memory of a device.
FAKE_CUDA_API bool fakeCudaIsMemory(unsigned long long device, size_t bytes);
/// Lets the GPUs go on as far as they can, as time does.
FAKE_CUDA_API void fakeCudaAdvance();

/// What an NVTX tool saw since the last call: "push NAME" and "pop", each in a
/// line. The library is its own tool if NVTX_INJECTION64_PATH names it.
FAKE_CUDA_API const char *fakeNvtxLog();
}

#endif // MUON_MLIR_TEST_UNIT_RUNTIME_FAKECUDA_FAKECUDA_H
