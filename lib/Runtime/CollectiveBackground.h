//===- CollectiveBackground.h - Threads that move data ----------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_COLLECTIVEBACKGROUND_H
#define MUON_MLIR_LIB_RUNTIME_COLLECTIVEBACKGROUND_H

#include "Error.h"

#include <chrono>
#include <cstdio>
#include <exception>
#include <new>
#include <thread>

#include <pthread.h>

namespace muon::collective {

/// Between two looks from the background at what does not move. To be woken for
/// each collective would cost more than most take: it goes on looking for a
/// while, and only then sleeps until it is woken.
constexpr std::chrono::microseconds kPause(50);
constexpr int kMostPauses = 20;
/// Pauses grow while nothing moves: the cores belong to the computation.
constexpr std::chrono::microseconds kLongestPause(1000);

/// A thread that moves data of `rank` while the rank computes. None where the
/// system has no more threads: then data moves in waits alone.
template <typename Body>
std::thread makeBackground(int32_t rank, Body body) {
  try {
    return std::thread([rank, body] {
      // All that Linux keeps; profilers show it.
      char name[16];
      std::snprintf(name, sizeof(name), "muon-comm-%d", int(rank));
      ::pthread_setname_np(::pthread_self(), name);
      body();
    });
  } catch (const std::exception &) {
    return std::thread();
  }
}

/// Nobody would catch an exception there.
template <typename Body>
Error withoutExceptions(Body body) {
  try {
    return body();
  } catch (const std::bad_alloc &) {
    return Error(MUON_ERROR_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception &e) {
    return Error(MUON_ERROR_INTERNAL, e.what());
  }
}

} // namespace muon::collective

#endif // MUON_MLIR_LIB_RUNTIME_COLLECTIVEBACKGROUND_H
