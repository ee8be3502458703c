//===- FakeComm.cpp - The state behind the fake NCCL ----------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FakeComm.h"

#include "CollectiveSum.h"

#include <algorithm>
#include <atomic>
#include <thread>

using namespace muon;
using namespace muon::fakenccl;
using nccl::InProgress;
using nccl::ncclComm;
using nccl::Success;

std::atomic<int> fakenccl::alive{0};
std::atomic<int> fakenccl::registered{0};

ncclComm::~ncclComm() {
  region.unlink();
  registered -= int(memory.size());
}

static size_t sizeOf(DataType type) {
  switch (type) {
  case nccl::Float64:
    return 8;
  case nccl::Float32:
    return 4;
  default:
    return 2;
  }
}

static MuonType typeOf(DataType type) {
  switch (type) {
  case nccl::Float64:
    return MUON_TYPE_F64;
  case nccl::Float32:
    return MUON_TYPE_F32;
  case nccl::Float16:
    return MUON_TYPE_F16;
  default:
    return MUON_TYPE_BF16;
  }
}

bool ncclComm::open(const std::string &newName, int newRank, int newRanks,
                    int newWorldRank, bool blocking) {
  name = newName;
  rank = newRank;
  ranks = newRanks;
  worldRank = newWorldRank;
  isBlocking = blocking;
  const auto count = size_t(ranks);
  outbox.resize(count);
  inbox.resize(count);
  sent.resize(count);
  expected.resize(count);
  link->comm = this;
  return ranks >= 1 && ranks <= Region::mostRanks && rank >= 0 &&
         rank < ranks && region.open(name, ranks) && region.attach(rank);
}

Result ncclComm::fail(Result result, const std::string &why) {
  async = result;
  lastError = why;
  record(worldRank, "error " + why);
  return result;
}

//===----------------------------------------------------------------------===//
// What moves
//===----------------------------------------------------------------------===//

/// Collectives are announced to everyone, so that each rank can check them.
bool ncclComm::talksTo(const Call &call, int other) const {
  if (call.kind == Kind::Send)
    return other == call.root;
  return call.kind != Kind::Receive && other != rank;
}

bool ncclComm::hearsFrom(const Call &call, int other) const {
  if (call.kind == Kind::Receive)
    return other == call.root;
  return call.kind != Kind::Send && other != rank;
}

std::string ncclComm::payloadTo(const Call &call, int other) const {
  const size_t bytes = call.count * sizeOf(call.type);
  switch (call.kind) {
  case Kind::Reduce:
    return other == call.root ? call.mine : std::string();
  case Kind::Broadcast:
    return rank == call.root ? call.mine : std::string();
  case Kind::ReduceScatter:
    return call.mine.substr(size_t(other) * bytes, bytes);
  default:
    return call.mine;
  }
}

size_t ncclComm::payloadFrom(const Call &call, int other) const {
  const size_t bytes = call.count * sizeOf(call.type);
  switch (call.kind) {
  case Kind::Reduce:
    return rank == call.root ? bytes : 0;
  case Kind::Broadcast:
    return other == call.root ? bytes : 0;
  case Kind::Split:
    return 2 * sizeof(int);
  default:
    return bytes;
  }
}

Header ncclComm::headerOf(const Call &call, size_t payload) const {
  Header header = {uint32_t(call.kind), uint32_t(call.type), uint32_t(call.op),
                   uint32_t(call.root), call.count,          payload,
                   isRegistered(call)};
  // Both ends of a message are one to each other.
  if (call.kind == Kind::Send || call.kind == Kind::Receive) {
    header.kind = uint32_t(Kind::Send);
    header.root = 0;
  }
  return header;
}

/// Which buffers of a call are in registered memory: the same on all ranks, or,
/// where ranks have different parts in it, all or none.
uint64_t ncclComm::isRegistered(const Call &call) const {
  auto isIn = [&](const void *buffer) {
    return std::any_of(memory.begin(), memory.end(), [&](const auto &range) {
      return buffer >= range->begin && buffer < range->begin + range->bytes;
    });
  };
  if (call.kind == Kind::AllReduce || call.kind == Kind::ReduceScatter ||
      call.kind == Kind::AllGather)
    return 10 * isIn(call.send) + isIn(call.receive);
  // What this rank does not send or receive is ignored.
  const bool isRoot = call.root == rank;
  const void *sent =
      call.kind == Kind::Broadcast && !isRoot ? nullptr : call.send;
  const void *received =
      call.kind == Kind::Reduce && !isRoot ? nullptr : call.receive;
  if (sent && received && isIn(sent) != isIn(received))
    return 100 + uint64_t(rank);
  return isIn(sent ? sent : received);
}

bool ncclComm::read(const Call &call, void *to, size_t bytes) const {
  return isOfGraph ? moveMemory(call.send, to, bytes, /*isWrite=*/false)
                   : readMemory(call.stream, call.send, to, bytes);
}

bool ncclComm::write(const Call &call, void *to, const void *from,
                     size_t bytes) const {
  return isOfGraph
             ? moveMemory(to, const_cast<void *>(from), bytes, /*isWrite=*/true)
             : writeMemory(call.stream, to, from, bytes);
}

/// What is received must not be anything else of the same group, but for what
/// the call itself sends from the same place.
static bool overlaps(const std::vector<Call> &calls, int rank, int ranks) {
  struct Range {
    const char *begin, *end;
    bool isReceived;
    size_t call;
  };
  std::vector<Range> ranges;
  for (size_t i = 0; i < calls.size(); ++i) {
    const Call &call = calls[i];
    const size_t bytes = call.count * sizeOf(call.type);
    const size_t all = size_t(ranks) * bytes;
    const bool isRoot = call.root == rank;
    size_t sends = bytes, receives = bytes;
    if (call.kind == Kind::Split)
      continue;
    if (call.kind == Kind::ReduceScatter)
      sends = all;
    if (call.kind == Kind::AllGather)
      receives = all;
    if (call.kind == Kind::Receive || (call.kind == Kind::Broadcast && !isRoot))
      sends = 0;
    if (call.kind == Kind::Send || (call.kind == Kind::Reduce && !isRoot))
      receives = 0;
    auto *from = static_cast<const char *>(call.send);
    auto *to = static_cast<const char *>(call.receive);
    if (sends)
      ranges.push_back({from, from + sends, false, i});
    if (receives)
      ranges.push_back({to, to + receives, true, i});
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const Range &a, const Range &b) { return a.begin < b.begin; });
  for (size_t i = 0; i < ranges.size(); ++i)
    for (size_t j = i + 1; j < ranges.size() && ranges[j].begin < ranges[i].end;
         ++j)
      if ((ranges[i].isReceived || ranges[j].isReceived) &&
          ranges[i].call != ranges[j].call)
        return true;
  return false;
}

Result ncclComm::start(std::vector<Call> started) {
  if (async != Success)
    return nccl::InvalidUsage;
  if (isPending || isMoving || !isReady || isFinalizing)
    return fail(nccl::InvalidArgument,
                "the communicator is used before its last operation is over");
  if (overlaps(started, rank, ranks))
    return fail(nccl::InvalidUsage, "buffers of a group overlap");
  if (isCapturing(started[0].stream)) {
    Result later = Success;
    if (Result result = inject("capture", worldRank, later, isHung)) {
      lastError = "as it was told to";
      return result;
    }
    if (later)
      return fail(later, "as it was told to");
    calls = std::move(started);
    isPending = true;
    // Done by a thread of the library, as it were.
    return isBlocking ? capture() : InProgress;
  }
  if (Result result = begin(std::move(started)))
    return result;
  return settle();
}

/// Makes the calls that are pending work of the graph.
Result ncclComm::capture() {
  isPending = false;
  void *stream = calls[0].stream;
  if (!isCapturing(stream))
    return fail(nccl::UnhandledCudaError,
                "the capture ended while the communicator was in progress");
  auto node = std::make_unique<Node>();
  node->link = link;
  node->calls = std::move(calls);
  calls.clear();
  ++link->graphs;
  auto work = [](void *state) {
    Node &node = *static_cast<Node *>(state);
    std::lock_guard<std::mutex> lock(node.link->mutex);
    if (node.link->comm)
      return node.link->comm->run(node);
    if (!node.link->isAborted)
      find("a graph of a communicator that was destroyed runs");
    return 0;
  };
  auto release = [](void *state) { delete static_cast<Node *>(state); };
  return launchWork(stream, work, node.release(), release)
             ? Success
             : fail(nccl::UnhandledCudaError, "the capture takes no work");
}

int ncclComm::run(Node &node) {
  constexpr int notReady = 600;
  // Whoever has it may wait for the driver, whose lock this thread has.
  std::unique_lock<std::recursive_mutex> lock(mutex, std::try_to_lock);
  if (!lock || async != Success || isHung)
    return notReady;
  if (!node.isRunning) {
    if (isMoving || isPending)
      return notReady;
    record(worldRank, "run calls=" + std::to_string(node.calls.size()));
    Result later = Success;
    if (Result result = inject("run", worldRank, later, isHung))
      later = result;
    if (later)
      (void)fail(later, "as it was told to");
    if (later || isHung)
      return notReady;
    isOfGraph = node.isRunning = true;
    if (begin(node.calls))
      return notReady;
  }
  if (move())
    return notReady;
  isOfGraph = node.isRunning = false;
  return 0;
}

Result ncclComm::begin(std::vector<Call> started) {
  calls = std::move(started);
  isMoving = true;
  hasMoved = false;
  for (size_t i = 0; i < calls.size(); ++i) {
    Call &call = calls[i];
    call.received.resize(size_t(ranks));
    const size_t bytes = call.count * sizeOf(call.type);
    size_t sends =
        call.kind == Kind::ReduceScatter ? bytes * size_t(ranks) : bytes;
    if (call.kind == Kind::Receive || call.kind == Kind::Split ||
        (call.kind == Kind::Broadcast && call.root != rank))
      sends = 0;
    call.mine.resize(sends);
    if (call.kind == Kind::Split) {
      call.mine.append(reinterpret_cast<const char *>(&call.color),
                       sizeof(int));
      call.mine.append(reinterpret_cast<const char *>(&call.key), sizeof(int));
    } else if (sends && !read(call, call.mine.data(), sends)) {
      return fail(nccl::UnhandledCudaError, "a buffer cannot be read");
    }
    for (int other = 0; other < ranks; ++other) {
      if (talksTo(call, other)) {
        const std::string payload = payloadTo(call, other);
        const Header header = headerOf(call, payload.size());
        outbox[size_t(other)].append(reinterpret_cast<const char *>(&header),
                                     sizeof(header));
        outbox[size_t(other)] += payload;
      }
      if (hearsFrom(call, other))
        expected[size_t(other)].push_back({i});
    }
  }
  return Success;
}

Result ncclComm::settle() {
  Result result = progress();
  while (isBlocking && result == InProgress) {
    std::this_thread::yield();
    result = progress();
  }
  return result;
}

Result ncclComm::progress() {
  std::lock_guard<std::recursive_mutex> lock(mutex);
  if (async != Success)
    return async;
  if (isHung)
    return InProgress;
  if (!isReady) {
    isReady = region.isComplete();
    return isReady ? Success : InProgress;
  }
  if (isFinalizing)
    return region.isFinalized() && !link->graphs ? Success : InProgress;
  if (isPending)
    return capture();
  // A graph moves its data when it is its turn.
  return isMoving && !isOfGraph ? move() : Success;
}

Result ncclComm::move() {
  bool isDone = true, moved = false;
  for (int other = 0; other < ranks; ++other) {
    const auto at = size_t(other);
    std::string &out = outbox[at], &in = inbox[at];
    if (other == rank) {
      in += out;
      sent[at] = out.size();
    } else {
      while (sent[at] < out.size()) {
        size_t count =
            region.push(rank, other, &out[sent[at]], out.size() - sent[at]);
        if (!count)
          break;
        sent[at] += count;
        moved = true;
      }
      if (!expected[at].empty())
        moved |= region.pop(other, rank, in);
    }
    if (sent[at] == out.size()) {
      out.clear();
      sent[at] = 0;
    }
    isDone &= out.empty();
    std::vector<Expected> &waits = expected[at];
    while (!waits.empty()) {
      Expected &next = waits.front();
      Call &call = calls[next.call];
      const size_t bytes = payloadFrom(call, other);
      if (!next.hasHeader) {
        if (in.size() < sizeof(Header))
          break;
        const Header mine = headerOf(call, bytes);
        if (std::memcmp(&mine, in.data(), sizeof(Header)) != 0)
          return fail(nccl::InvalidUsage, "rank " + std::to_string(other) +
                                              " of " + name +
                                              " calls something else");
        in.erase(0, sizeof(Header));
        next.hasHeader = true;
      }
      if (in.size() < bytes)
        break;
      call.received[at] = in.substr(0, bytes);
      in.erase(0, bytes);
      waits.erase(waits.begin());
    }
    isDone &= waits.empty();
  }

  if (moved && !hasMoved) {
    hasMoved = true;
    Result later = Success;
    if (Result result = inject("moving", worldRank, later, isHung))
      return fail(result, "as it was told to");
    if (later)
      return fail(later, "as it was told to");
  }
  if (!isDone || isHung)
    return InProgress;
  return finish();
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

Result ncclComm::finish() {
  for (Call &call : calls)
    if (Result result = finish(call))
      return fail(result, "a buffer cannot be written");
  calls.clear();
  isMoving = false;
  Result later = Success;
  if (Result result = inject("moved", worldRank, later, isHung))
    return fail(result, "as it was told to");
  return later ? fail(later, "as it was told to") : Success;
}

/// Sums elements of what all ranks have.
Result ncclComm::reduce(Call &call, size_t begin, size_t count) {
  const size_t size = sizeOf(call.type);
  std::vector<const void *> sources;
  for (int other = 0; other < ranks; ++other)
    sources.push_back(other == rank ? call.mine.data() + begin * size
                                    : call.received[size_t(other)].data());
  std::string sum(count * size, 0);
  collective::sumInOrder(typeOf(call.type), call.op == nccl::Average,
                         sources.data(), ranks, sum.data(), int64_t(count));
  return write(call, call.receive, sum.data(), sum.size())
             ? Success
             : nccl::UnhandledCudaError;
}

Result ncclComm::finish(Call &call) {
  auto store = [&](size_t place, const std::string &data) {
    char *to = static_cast<char *>(call.receive) + place * data.size();
    return write(call, to, data.data(), data.size()) ? Success
                                                     : nccl::UnhandledCudaError;
  };
  switch (call.kind) {
  case Kind::AllReduce:
    return reduce(call, 0, call.count);
  case Kind::ReduceScatter:
    return reduce(call, size_t(rank) * call.count, call.count);
  case Kind::Reduce:
    return rank == call.root ? reduce(call, 0, call.count) : Success;
  case Kind::AllGather:
    for (int other = 0; other < ranks; ++other)
      if (Result result = store(
              size_t(other), other == rank ? call.mine : call.received[other]))
        return result;
    return Success;
  case Kind::Broadcast:
    return store(0, rank == call.root ? call.mine : call.received[call.root]);
  case Kind::Receive:
    return store(0, call.received[call.root]);
  case Kind::Send:
    return Success;
  case Kind::Split:
    break;
  }

  // (key, rank) of those with this rank's color.
  std::vector<std::pair<int, int>> members;
  for (int other = 0; other < ranks; ++other) {
    int values[2] = {call.color, call.key};
    if (other != rank)
      std::memcpy(values, call.received[size_t(other)].data(), sizeof(values));
    if (values[0] == call.color)
      members.push_back({values[1], other});
  }
  const uint32_t number = numSplits++;
  *call.child = nullptr;
  if (call.color == nccl::noColor)
    return Success;
  std::sort(members.begin(), members.end());
  auto child = std::make_unique<ncclComm>();
  int place = 0;
  while (members[size_t(place)].second != rank)
    ++place;
  if (!child->open(name + "." + std::to_string(number) + "." +
                       std::to_string(call.color),
                   place, int(members.size()), worldRank, isBlocking))
    return nccl::SystemError;
  *call.child = child.release();
  ++alive;
  return Success;
}
