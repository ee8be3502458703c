//===- NcclCalls.cpp - Collectives as calls of NCCL -----------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NcclCalls.h"

#include "CollectiveLayout.h"

#include <algorithm>
#include <cstring>
#include <set>

using namespace muon;
using namespace muon::nccl;

DataType nccl::typeOf(MuonType type) {
  switch (type) {
  case MUON_TYPE_F64:
    return Float64;
  case MUON_TYPE_F16:
    return Float16;
  case MUON_TYPE_BF16:
    return Bfloat16;
  default:
    return Float32;
  }
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

/// Whether the only operand has segments [begin, end), one after the other.
static bool isOneRun(const std::vector<Collective::Operand> &operands,
                     int32_t begin, int32_t end) {
  if (operands.size() != 1 || operands[0].isTable ||
      operands[0].segments.size() != size_t(end - begin))
    return false;
  for (int32_t segment : operands[0].segments)
    if (segment != begin++)
      return false;
  return true;
}

bool nccl::canBeOneCall(const Collective &collective) {
  const auto count = int32_t(collective.segments.size());
  if (count == 0 || collective.kind == Collective::AllToAll)
    return false;
  if (collective.kind == Collective::AllReduce)
    return isOneRun(collective.send, 0, count) &&
           isOneRun(collective.receive, 0, count);

  const bool isScatter = collective.kind == Collective::ReduceScatter;
  std::vector<int64_t> elements(collective.group.size());
  int32_t last = 0, begin = count, end = 0;
  for (int32_t i = 0; i < count; ++i) {
    const Collective::Segment &segment = collective.segments[size_t(i)];
    const int32_t place = isScatter ? segment.to : segment.from;
    if (place < last)
      return false;
    last = place;
    elements[size_t(place)] += segment.elements;
    if (place == collective.place) {
      begin = std::min(begin, i);
      end = i + 1;
    }
  }
  if (begin > end || std::any_of(elements.begin(), elements.end(),
                                 [&](int64_t n) { return n != elements[0]; }))
    return false;
  const auto &all = isScatter ? collective.send : collective.receive;
  const auto &own = isScatter ? collective.receive : collective.send;
  return isOneRun(all, 0, count) && isOneRun(own, begin, end);
}

std::vector<Call> nccl::callsOf(const Collective &collective,
                                const CollectiveBuffers &buffers,
                                bool isOneCall) {
  const auto ranks = int64_t(collective.group.size());
  const int32_t me = collective.place;
  std::vector<Call> calls;

  if (isOneCall) {
    Call call;
    const void *send = nullptr;
    void *receive = nullptr;
    for (size_t i = 0; i < collective.segments.size(); ++i) {
      call.count += collective.segments[i].elements;
      // The first that there is; empty segments may have no address.
      send = send ? send : buffers.send[i];
      receive = receive ? receive : buffers.receive[i];
    }
    call.send = send;
    call.receive = receive;
    if (collective.kind != Collective::AllReduce) {
      call.kind = collective.kind == Collective::ReduceScatter
                      ? Call::ReduceScatter
                      : Call::AllGather;
      call.count /= ranks;
    }
    if (call.count)
      calls.push_back(call);
    return calls;
  }

  for (size_t i = 0; i < collective.segments.size(); ++i) {
    const Collective::Segment &segment = collective.segments[i];
    if (!segment.elements)
      continue;
    const void *send = buffers.send[i];
    void *receive = buffers.receive[i];
    switch (collective.kind) {
    case Collective::AllReduce:
      calls.push_back({Call::AllReduce, send, receive, segment.elements, 0});
      break;
    case Collective::ReduceScatter:
      calls.push_back({Call::Reduce, send, segment.to == me ? receive : nullptr,
                       segment.elements, segment.to});
      break;
    case Collective::AllGather:
      // In place where there is only one of the two.
      calls.push_back({Call::Broadcast, segment.from == me ? send : receive,
                       receive ? receive : const_cast<void *>(send),
                       segment.elements, segment.from});
      break;
    case Collective::AllToAll:
      if (segment.from == me && segment.to == me && send == receive)
        break;
      if (segment.from == me)
        calls.push_back(
            {Call::Send, send, nullptr, segment.elements, segment.to});
      if (segment.to == me)
        calls.push_back(
            {Call::Receive, nullptr, receive, segment.elements, segment.from});
      break;
    }
  }
  return calls;
}

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

std::vector<std::vector<Group>> nccl::roundsOf(std::vector<Group> groups) {
  std::sort(groups.begin(), groups.end());
  groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
  std::vector<std::vector<Group>> rounds;
  std::vector<std::set<int32_t>> taken;
  for (Group &group : groups) {
    size_t round = 0;
    while (round < rounds.size() &&
           std::any_of(group.begin(), group.end(),
                       [&](int32_t rank) { return taken[round].count(rank); }))
      ++round;
    if (round == rounds.size()) {
      rounds.emplace_back();
      taken.emplace_back();
    }
    taken[round].insert(group.begin(), group.end());
    rounds[round].push_back(std::move(group));
  }
  return rounds;
}

Needs::Needs(const std::vector<Collective> &collectives) {
  std::set<Group> distinct;
  for (const Collective &collective : collectives) {
    distinct.insert(collective.group);
    if (collective.kind != Collective::AllToAll && !canBeOneCall(collective))
      uneven.push_back(collective::fingerprint(collective));
  }
  groups.assign(distinct.begin(), distinct.end());
}

static void put(std::string &bytes, uint64_t number) {
  bytes.append(reinterpret_cast<const char *>(&number), sizeof(number));
}

std::string Needs::pack() const {
  std::string bytes;
  put(bytes, groups.size());
  for (const Group &group : groups) {
    put(bytes, group.size());
    bytes.append(reinterpret_cast<const char *>(group.data()),
                 group.size() * sizeof(int32_t));
  }
  put(bytes, uneven.size());
  bytes.append(reinterpret_cast<const char *>(uneven.data()),
               uneven.size() * sizeof(uint64_t));
  return bytes;
}

bool Needs::unpack(const std::string &bytes) {
  size_t at = 0;
  auto take = [&](void *to, uint64_t count, size_t size) {
    if (count > (bytes.size() - at) / size)
      return false;
    if (count)
      std::memcpy(to, bytes.data() + at, count * size);
    at += count * size;
    return true;
  };
  uint64_t count = 0;
  if (!take(&count, 1, sizeof(count)) || count > bytes.size())
    return false;
  groups.resize(count);
  for (Group &group : groups) {
    if (!take(&count, 1, sizeof(count)) || count > bytes.size())
      return false;
    group.resize(count);
    if (!take(group.data(), count, sizeof(int32_t)))
      return false;
  }
  if (!take(&count, 1, sizeof(count)) || count > bytes.size())
    return false;
  uneven.resize(count);
  return take(uneven.data(), count, sizeof(uint64_t)) && at == bytes.size();
}
