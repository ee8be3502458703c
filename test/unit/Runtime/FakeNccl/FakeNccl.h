//===- FakeNccl.h - A recording NCCL without a GPU --------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A shared library with the part of the C interface of libnccl.so.2 that the
// runtime uses. It moves data for real, through files that all ranks map, so
// that ranks may be threads or processes; writes down every call; and fails
// where it is told to.
//
// Buffers are memory of the host, as tensors of the devices cpu and sim are
// when they reach a communicator, or, with `driver=`, memory of the fake CUDA
// driver: then sends are read after what the stream holds before, and receives
// are written in the order of the stream. Reductions add in the order of the
// ranks.
//
// It is strict where NCCL is vague. Every rank tells every other one what it
// does: another kind, count, type, reduction or root is ncclInvalidUsage where
// NCCL would hang or make nonsense. A communicator that is not blocking stays
// in ncclInProgress until its data has moved, and may not be used before.
// Nobody learns of an abort by another rank: they hang, as they may with NCCL.
//
// Calls on a stream of the fake driver that is being captured become work of
// the graph: they are checked and written down (`captured`) at once, and move
// data whenever the graph runs on all ranks, which is written down as `run`. As
// with NCCL, such a communicator does not end before the graph is gone, and its
// errors leave the graph hanging until an abort.
//
// Memory that was registered has to be there until it is deregistered, and all
// ranks of a call have to use such memory, or none.
//
// What it does not have: overlap of a collective with what follows on its
// stream, and any notion of time.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TEST_UNIT_RUNTIME_FAKENCCL_FAKENCCL_H
#define MUON_MLIR_TEST_UNIT_RUNTIME_FAKENCCL_FAKENCCL_H

#include <cstdint>

#define FAKE_NCCL_API __attribute__((visibility("default")))

extern "C" {

/// Back to a library that nobody has called, with these options, `key=value,…`.
/// False if one is wrong.
///
///   version=22105    what ncclGetVersion says
///   log=PATH         calls are also appended to this file
///   dir=PATH         where the files are that ranks map; /dev/shm
///   driver=PATH      this library's memory, instead of the host's
///   one-gpu=1        ranks are on one GPU, which is refused as NCCL does
///   local-register=0 nothing is registered, as with NCCL_LOCAL_REGISTER
///   fail=NAME:COUNT:RANK:WHAT
///                    the COUNTth call of NAME by that rank of the world; may
///                    be given several times. RANK * is each rank. NAME may
///                    also be `moving`, for when some of a collective's data
///                    has moved, `moved`, for when all has, `capture`, for
///                    when calls are to become work of a graph, and `run`, for
///                    when that work begins. WHAT is
///                      a number   what the call returns, as ncclResult_t
///                      async-N    what ncclCommGetAsyncError says from then on
///                      hang       nothing of the communicator ends any more
///                      kill, stop  what the process does to itself
///                      slow       it sleeps for a fifth of a second
///
/// Without a call, options come from MUON_FAKE_NCCL.
FAKE_NCCL_API bool fakeNcclReset(const char *options);

/// One line for each call since the reset, `RANK NAME key=value …`, in the
/// order of each rank; RANK is that of the world. Valid until the next call.
FAKE_NCCL_API const char *fakeNcclLog();

/// Communicators that were neither destroyed nor aborted.
FAKE_NCCL_API int fakeNcclAlive();

/// Memory that is registered now.
FAKE_NCCL_API int fakeNcclRegistered();

/// What callers have done wrong with registered memory and with graphs, in
/// lines; valid until the next call.
FAKE_NCCL_API const char *fakeNcclFindings();

/// Its presence says that buffers may be memory of the host.
FAKE_NCCL_API extern const int muonNcclMovesHostMemory;
}

#endif // MUON_MLIR_TEST_UNIT_RUNTIME_FAKENCCL_FAKENCCL_H
