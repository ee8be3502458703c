//===- NcclHeaderTest.cpp - Our declarations against nccl.h ---------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Nothing to run: it is compiled where there is a header of NVIDIA.
//
//===----------------------------------------------------------------------===//

#include "NcclLibrary.h"

#include <nccl.h>

#include <type_traits>

namespace ours = muon::nccl;

#define SAME(ours, theirs) static_assert(int(ours) == int(theirs))
SAME(ours::Success, ncclSuccess);
SAME(ours::UnhandledCudaError, ncclUnhandledCudaError);
SAME(ours::SystemError, ncclSystemError);
SAME(ours::InternalError, ncclInternalError);
SAME(ours::InvalidArgument, ncclInvalidArgument);
SAME(ours::InvalidUsage, ncclInvalidUsage);
SAME(ours::RemoteError, ncclRemoteError);
SAME(ours::InProgress, ncclInProgress);
SAME(ours::Float16, ncclFloat16);
SAME(ours::Float32, ncclFloat32);
SAME(ours::Float64, ncclFloat64);
SAME(ours::Bfloat16, ncclBfloat16);
SAME(ours::Sum, ncclSum);
SAME(ours::Average, ncclAvg);
SAME(ours::noColor, NCCL_SPLIT_NOCOLOR);
SAME(sizeof(ours::UniqueId), sizeof(ncclUniqueId));

static_assert(sizeof(ours::Config) <= sizeof(ncclConfig_t));
#define SAME_FIELD(field)                                                      \
  static_assert(offsetof(ours::Config, field) == offsetof(ncclConfig_t, field))
SAME_FIELD(size);
SAME_FIELD(magic);
SAME_FIELD(version);
SAME_FIELD(blocking);
SAME_FIELD(cgaClusterSize);
SAME_FIELD(minCTAs);
SAME_FIELD(maxCTAs);
SAME_FIELD(netName);
SAME_FIELD(splitShare);

namespace {

/// What a type is to the calling convention.
template <class T>
struct Passed {
  using type = T;
};
template <class T>
struct Passed<T *> {
  using type = void *;
};
template <>
struct Passed<ours::UniqueId> {
  using type = ncclUniqueId;
};
template <class T>
using PassedAs =
    typename Passed<std::conditional_t<std::is_enum_v<T>, int, T>>::type;

template <class A, class B>
struct AreAlike : std::false_type {};
template <class R, class... P, class S, class... Q>
struct AreAlike<R (*)(P...), S (*)(Q...)>
    : std::bool_constant<std::is_same_v<void(PassedAs<P>..., PassedAs<R>),
                                        void(PassedAs<Q>..., PassedAs<S>)>> {};

} // namespace

#define MUON_ALIKE(name, symbol, version, result, parameters)                  \
  static_assert(                                                               \
      AreAlike<decltype(ours::Library::name), decltype(&symbol)>::value,       \
      #symbol);
MUON_NCCL_FUNCTIONS(MUON_ALIKE)
#if NCCL_VERSION_CODE >= 21900
MUON_NCCL_OPTIONAL_FUNCTIONS(MUON_ALIKE)
#endif
