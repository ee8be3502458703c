//===- CollectiveExchange.cpp - Strings of all ranks ----------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CollectiveExchange.h"

#include <algorithm>
#include <cstring>

using namespace muon;

/// Gathers `bytes[i]` bytes of every rank i.
static Error gather(Communicator &communicator, const std::string &name,
                    const std::vector<size_t> &bytes, const char *mine,
                    std::vector<std::string> &all) {
  Collective collective;
  collective.kind = Collective::AllGather;
  collective.name = name;
  collective.type = MUON_TYPE_BF16;
  collective.place = communicator.rank();
  CollectiveBuffers buffers;
  all.resize(bytes.size());
  for (size_t i = 0; i < bytes.size(); ++i) {
    bool isMine = int32_t(i) == communicator.rank();
    auto elements = int64_t(bytes[i] + 1) / 2;
    collective.group.push_back(int32_t(i));
    collective.segments.push_back({elements, int32_t(i), -1});
    all[i].resize(size_t(elements) * 2);
    if (isMine)
      std::copy_n(mine, bytes[i], all[i].begin());
    buffers.send.push_back(isMine ? all[i].data() : nullptr);
    buffers.receive.push_back(isMine ? nullptr : all[i].data());
  }
  std::unique_ptr<Transfer> transfer;
  if (Error error = communicator.start(collective, buffers, transfer))
    return error;
  if (Error error = transfer->wait())
    return error;
  for (size_t i = 0; i < bytes.size(); ++i)
    all[i].resize(bytes[i]);
  return Error::success();
}

Error collective::exchangeByCollectives(Communicator &communicator,
                                        Traffic &traffic,
                                        const std::string &mine,
                                        std::vector<std::string> &all) {
  constexpr size_t most = size_t(1) << 20;
  if (mine.size() > most)
    return Error(MUON_ERROR_INVALID_ARGUMENT, "expected at most " +
                                                  std::to_string(most) +
                                                  " bytes to exchange, found " +
                                                  std::to_string(mine.size()));
  Traffic before = traffic;
  auto length = uint64_t(mine.size());
  std::vector<size_t> bytes(size_t(communicator.size()), sizeof(length));
  if (Error error = gather(communicator, "lengths of an exchange", bytes,
                           reinterpret_cast<const char *>(&length), all))
    return error;
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::copy_n(all[i].data(), sizeof(length),
                reinterpret_cast<char *>(&length));
    if (length > most)
      return Error(MUON_ERROR_EXECUTION, "rank " + std::to_string(i) +
                                             " wants to exchange " +
                                             std::to_string(length) + " bytes");
    bytes[i] = size_t(length);
  }
  Error error = gather(communicator, "exchange", bytes, mine.data(), all);
  traffic = before;
  return error;
}
