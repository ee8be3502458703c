//===- Communicator.cpp - How ranks exchange data -------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Communicator.h"

#include "CollectiveLayout.h"
#include "CommunicatorDirect.h"

using namespace muon;

Transfer::~Transfer() = default;
Communicator::~Communicator() = default;
DirectCommunicator::~DirectCommunicator() = default;
DirectCommunicator::Recording::~Recording() = default;
DirectCommunicator::Registration::~Registration() = default;

std::vector<std::optional<std::string>>
Communicator::askPlaces(std::chrono::milliseconds) {
  return std::vector<std::optional<std::string>>(size_t(size()));
}

Error Communicator::prepare(Device &, const std::vector<Collective> &) {
  return Error::success();
}

Error Communicator::beginRun(Device &, void *, bool &isDirect) {
  isDirect = false;
  return Error::success();
}

Traffic muon::getTraffic(const Collective &collective) {
  Traffic traffic;
  traffic.collectives = 1;
  int64_t others = int64_t(collective.group.size()) - 1;
  int64_t sent = 0, received = 0;
  for (size_t i = 0; i < collective.segments.size(); ++i) {
    const Collective::Segment &segment = collective.segments[i];
    int32_t me = collective.place;
    switch (collective.kind) {
    case Collective::AllGather:
      if (segment.from == me)
        sent += others * segment.elements;
      else
        received += segment.elements;
      break;
    case Collective::AllToAll:
      if (segment.from == me && segment.to != me)
        sent += segment.elements;
      if (segment.to == me && segment.from != me)
        received += segment.elements;
      break;
    case Collective::ReduceScatter:
      if (segment.to == me)
        received += others * segment.elements;
      else
        sent += segment.elements;
      break;
    case Collective::AllReduce: {
      // What others own goes out and comes back; what this rank owns comes in
      // from all and goes out to all.
      int64_t mine = collective::partOf(collective, int32_t(i), me).count;
      int64_t both = segment.elements - mine + others * mine;
      sent += both;
      received += both;
      break;
    }
    }
  }
  int64_t size = collective::sizeOf(collective.type);
  traffic.bytesSent = uint64_t(sent * size);
  traffic.bytesReceived = uint64_t(received * size);
  return traffic;
}
