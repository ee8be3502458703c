//===- CommunicatorThreads.cpp - Ranks that are threads of one process ----===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Ranks read each other's memory: sums and copies need no memory of their own.
// A rank leaves a collective when nobody reads from it any more. Its data is
// moved by the thread that waits, and while none does by one in the background.
//
//===----------------------------------------------------------------------===//

#include "CollectiveBackground.h"
#include "CollectiveExchange.h"
#include "CollectiveLayout.h"
#include "CollectiveSum.h"
#include "Communicator.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>

using namespace muon;
using namespace muon::collective;
using Clock = std::chrono::steady_clock;

/// Between two looks at whether another rank has failed.
static constexpr int64_t kPieceBytes = 1 << 20;

/// Clocks count in nanoseconds.
static constexpr std::chrono::milliseconds kLongest =
    std::chrono::hours(24 * 365);

namespace {

/// One collective, as all ranks of its group see it. Guarded by the hub, but
/// for the buffers.
struct Session {
  struct Place {
    bool isStarted = false, isReduced = false;
    const CollectiveBuffers *buffers = nullptr;
    uint64_t fingerprint = 0;
    std::string text;
    /// By others, from here.
    int32_t numTaken = 0;
    uint64_t bytesTaken = 0;
  };

  explicit Session(const std::vector<int32_t> &group)
      : group(group), places(group.size()) {}

  const std::vector<int32_t> group;
  std::vector<Place> places;
  size_t numStarted = 0, numReduced = 0, numLeft = 0;
};

/// What the ranks share.
struct Hub {
  using Key = std::pair<std::vector<int32_t>, uint64_t>;

  std::mutex mutex;
  std::condition_variable changed;
  std::map<Key, std::shared_ptr<Session>> sessions;
  /// Ranks that read others' memory right now.
  int32_t numReading = 0;
  std::atomic<bool> isStopped{false};
  int32_t stoppedBy = -1;
  std::string reason;
  /// How often ranks have asked where the others are; of each rank, what it
  /// said last, and to which of the questions.
  std::atomic<uint64_t> numAsked{0};
  std::vector<std::pair<uint64_t, std::string>> places;

  /// Final. Afterwards nobody reads memory of others.
  void stop(std::unique_lock<std::mutex> &lock, int32_t rank,
            const std::string &why) {
    if (!isStopped) {
      stoppedBy = rank;
      reason = why;
      isStopped = true;
      changed.notify_all();
    }
    changed.wait(lock, [&] { return numReading == 0; });
  }

  Error failure(std::unique_lock<std::mutex> &lock, int32_t rank) {
    changed.wait(lock, [&] { return numReading == 0; });
    if (rank == stoppedBy)
      return Error(MUON_ERROR_EXECUTION, reason);
    return Error(MUON_ERROR_EXECUTION, "rank " + std::to_string(stoppedBy) +
                                           " stopped all ranks: " + reason);
  }
};

/// A collective as one rank sees it.
struct Operation {
  Operation(const Collective &collective, const CollectiveBuffers &buffers)
      : collective(collective), buffers(buffers), layout(collective),
        isTaken(collective.group.size()) {}

  const Collective &collective;
  const CollectiveBuffers buffers;
  const Layout layout;
  std::shared_ptr<Session> session;
  Hub::Key key;
  /// By place: whether what it has for this rank was copied.
  std::vector<bool> isTaken;
  bool isReduced = false;
  /// A thread moves its data right now.
  bool isBusy = false;
  uint64_t bytesReceived = 0;

  Session::Place &own() { return session->places[size_t(collective.place)]; }
  int32_t ranks() const { return int32_t(isTaken.size()); }

  bool isDone() {
    if (layout.hasReduction() && session->numReduced != isTaken.size())
      return false;
    return !layout.hasMoves() ||
           (own().numTaken == ranks() - 1 &&
            std::count(isTaken.begin(), isTaken.end(), false) == 0);
  }
};

class Threads final : public Communicator {
public:
  Threads(std::shared_ptr<Hub> hub, int32_t rank, int32_t ranks)
      : hub(std::move(hub)), self(rank), ranks(ranks) {
    this->hub->places.resize(size_t(ranks));
  }
  ~Threads() override;

  int32_t rank() const override { return self; }
  int32_t size() const override { return ranks; }
  Error start(const Collective &collective, const CollectiveBuffers &buffers,
              std::unique_ptr<Transfer> &transfer) override;
  Error exchange(const std::string &mine,
                 std::vector<std::string> &all) override {
    return exchangeByCollectives(*this, traffic, mine, all);
  }
  Error checkStopped() override {
    if (!hub->isStopped && hub->numAsked == numAnswered)
      return Error::success();
    std::unique_lock<std::mutex> lock(hub->mutex);
    answer();
    return hub->isStopped ? hub->failure(lock, self) : Error::success();
  }
  void setPlace(std::function<std::string()> value) override {
    std::unique_lock<std::mutex> lock(hub->mutex);
    place = std::move(value);
  }
  std::vector<std::optional<std::string>>
  askPlaces(std::chrono::milliseconds patience) override;
  void abort(const std::string &reason) override {
    std::unique_lock<std::mutex> lock(hub->mutex);
    hub->stop(lock, self, reason);
  }

private:
  class Handle;
  class Waiting;

  /// Where this rank is, if another one has asked. With the lock.
  void answer();
  Error wait(Operation &operation);
  void runBackground();
  bool progress(std::unique_lock<std::mutex> &lock);
  bool progress(std::unique_lock<std::mutex> &lock, Operation &operation);
  void reduce(std::unique_lock<std::mutex> &lock, Operation &operation);
  void take(std::unique_lock<std::mutex> &lock, Operation &operation,
            int32_t place);
  std::string timeOut(Operation &operation);

  const std::shared_ptr<Hub> hub;
  const int32_t self, ranks;
  std::map<std::vector<int32_t>, uint64_t> sequences;

  /// Of the thread that calls this.
  uint64_t numAnswered = 0;

  // Guarded by the hub.
  std::function<std::string()> place;
  std::vector<std::shared_ptr<Operation>> active;
  int32_t numWaiting = 0;
  bool isAsleep = false, isEnding = false;
  /// For the background, while there is nothing that it may do.
  std::condition_variable wake;
  std::thread background;
};

/// The background stays away from what a wait() does. The lock is held at both
/// ends.
class Threads::Waiting {
public:
  explicit Waiting(Threads &threads) : threads(threads) {
    ++threads.numWaiting;
  }
  ~Waiting() {
    if (!--threads.numWaiting && !threads.active.empty() && threads.isAsleep)
      threads.wake.notify_one();
  }

private:
  Threads &threads;
};

class Threads::Handle final : public Transfer {
public:
  Handle(Threads &threads, std::shared_ptr<Operation> operation)
      : threads(threads), operation(std::move(operation)) {}
  Error wait() override {
    if (!operation)
      return Error::success();
    if (Error error = threads.wait(*operation))
      return error;
    operation.reset();
    return Error::success();
  }

private:
  Threads &threads;
  std::shared_ptr<Operation> operation;
};

} // namespace

Threads::~Threads() {
  {
    std::unique_lock<std::mutex> lock(hub->mutex);
    isEnding = true;
    // What their collectives describe may be gone after a failure.
    for (size_t i = 0; i < active.size() && !hub->isStopped; ++i)
      if (!active[i]->isDone())
        hub->stop(lock, self, destroyedText(active[i]->own().text));
    wake.notify_all();
    hub->changed.notify_all();
  }
  if (background.joinable())
    background.join();
}

Error Threads::start(const Collective &collective,
                     const CollectiveBuffers &buffers,
                     std::unique_ptr<Transfer> &transfer) {
  if (Error error = check(collective, buffers, self, ranks))
    return error;
  auto operation = std::make_shared<Operation>(collective, buffers);
  Hub::Key key = {collective.group, sequences[collective.group]++};
  uint64_t own = fingerprint(collective);
  auto handle = std::make_unique<Handle>(*this, operation);

  std::unique_lock<std::mutex> lock(hub->mutex);
  if (hub->isStopped)
    return hub->failure(lock, self);
  std::shared_ptr<Session> &session = hub->sessions[key];
  if (!session)
    session = std::make_shared<Session>(collective.group);
  for (size_t place = 0; place < session->places.size(); ++place) {
    const Session::Place &other = session->places[place];
    if (!other.isStarted || other.fingerprint == own)
      continue;
    hub->stop(lock, self,
              "ranks do not start the same collectives: rank " +
                  std::to_string(collective.group[place]) + " started " +
                  other.text + " where rank " + std::to_string(self) +
                  " started " + describe(collective));
    return hub->failure(lock, self);
  }
  operation->session = session;
  operation->key = std::move(key);
  Session::Place &place = operation->own();
  place.isStarted = true;
  place.buffers = &operation->buffers;
  place.fingerprint = own;
  place.text = describe(collective);
  ++session->numStarted;
  active.push_back(operation);
  transfer = std::move(handle);
  hub->changed.notify_all();
  if (collective.group.size() == 1)
    while (progress(lock, *operation))
      continue;
  if (operation->isDone())
    return Error::success();
  if (!background.joinable())
    background = makeBackground(self, [this] { runBackground(); });
  else if (isAsleep)
    wake.notify_one();
  return Error::success();
}

void Threads::answer() {
  if (hub->numAsked == numAnswered)
    return;
  numAnswered = hub->numAsked;
  if (!place)
    return;
  hub->places[size_t(self)] = {numAnswered, place()};
  hub->changed.notify_all();
}

std::vector<std::optional<std::string>>
Threads::askPlaces(std::chrono::milliseconds patience) {
  std::vector<std::optional<std::string>> answers{size_t(ranks)};
  std::unique_lock<std::mutex> lock(hub->mutex);
  const uint64_t number = ++hub->numAsked;
  hub->changed.notify_all();
  hub->changed.wait_for(lock, patience, [&] {
    // Others may ask at the same time.
    answer();
    for (size_t rank = 0; rank < answers.size(); ++rank)
      if (hub->places[rank].first >= number && int32_t(rank) != self)
        answers[rank] = hub->places[rank].second;
    return hub->isStopped ||
           std::count(answers.begin(), answers.end(), std::nullopt) == 1;
  });
  return answers;
}

Error Threads::wait(Operation &operation) {
  auto end = Clock::now() + std::min(timeout, kLongest);
  std::unique_lock<std::mutex> lock(hub->mutex);
  Waiting waiting(*this);
  while (!hub->isStopped && !operation.isDone()) {
    answer();
    if (progress(lock) || hub->isStopped || operation.isDone())
      continue;
    // What the background is at is no time of waiting for others.
    bool isMoving =
        std::any_of(active.begin(), active.end(),
                    [](const auto &other) { return other->isBusy; });
    if (timeout.count() <= 0 || isMoving)
      hub->changed.wait(lock);
    else if (hub->changed.wait_until(lock, end) == std::cv_status::timeout &&
             !hub->isStopped && !operation.isDone())
      hub->stop(lock, self, timeOut(operation));
  }
  if (!operation.isDone())
    return hub->failure(lock, self);

  traffic.bytesReceived += operation.bytesReceived;
  traffic.bytesSent += operation.own().bytesTaken;
  ++traffic.collectives;
  if (++operation.session->numLeft == operation.isTaken.size())
    hub->sessions.erase(operation.key);
  active.erase(std::find_if(active.begin(), active.end(),
                            [&](const std::shared_ptr<Operation> &other) {
                              return other.get() == &operation;
                            }));
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Progress
//===----------------------------------------------------------------------===//

void Threads::runBackground() {
  std::unique_lock<std::mutex> lock(hub->mutex);
  for (int pauses = 0; !isEnding;) {
    bool isUseful = !hub->isStopped && !numWaiting && !active.empty();
    bool moved = false;
    Error error = withoutExceptions([&] {
      moved = isUseful && progress(lock);
      return Error::success();
    });
    if (error)
      hub->stop(lock, self, error.message());
    if (moved || error) {
      pauses = 0;
    } else if (pauses++ < kMostPauses) {
      wake.wait_for(lock, kPause, [&] { return isEnding; });
    } else {
      isAsleep = true;
      (isUseful ? hub->changed : wake).wait(lock);
      isAsleep = false;
      pauses = 0;
    }
  }
}

/// Does one thing, if there is one that need not wait. The lock is given up
/// while data moves.
bool Threads::progress(std::unique_lock<std::mutex> &lock) {
  for (size_t i = 0; i < active.size(); ++i) {
    // Others may come and go meanwhile.
    std::shared_ptr<Operation> operation = active[i];
    if (progress(lock, *operation))
      return true;
  }
  return false;
}

bool Threads::progress(std::unique_lock<std::mutex> &lock,
                       Operation &operation) {
  Session &session = *operation.session;
  if (operation.isBusy)
    return false;
  if (operation.layout.hasReduction() && !operation.isReduced) {
    if (session.numStarted != session.places.size())
      return false;
    reduce(lock, operation);
    return true;
  }
  if (!operation.layout.hasMoves())
    return false;
  for (int32_t i = 0; i < operation.ranks(); ++i) {
    // Not all from the same rank at the same time.
    int32_t place = (operation.collective.place + i) % operation.ranks();
    const Session::Place &other = session.places[size_t(place)];
    if (operation.isTaken[size_t(place)] || !other.isStarted ||
        (operation.layout.hasReduction() && !other.isReduced))
      continue;
    take(lock, operation, place);
    return true;
  }
  return false;
}

void Threads::reduce(std::unique_lock<std::mutex> &lock, Operation &operation) {
  const Collective &collective = operation.collective;
  Session &session = *operation.session;
  int64_t size = sizeOf(collective.type);
  const std::vector<Run> &runs = operation.layout.reducedBy(collective.place);
  std::vector<const CollectiveBuffers *> others;
  for (const Session::Place &place : session.places)
    others.push_back(place.buffers);
  std::vector<const void *> sources(others.size());
  operation.isBusy = true;
  ++hub->numReading;
  lock.unlock();

  for (const Run &run : runs) {
    for (int64_t begin = 0; begin < run.count && !hub->isStopped;) {
      int64_t count = std::min(run.count - begin, kPieceBytes / size);
      Run piece = {run.segment, run.begin + begin, count};
      for (size_t place = 0; place < others.size(); ++place)
        sources[place] = sourceOf(*others[place], piece, size);
      sumInOrder(collective.type, collective.isMean, sources.data(),
                 operation.ranks(), targetOf(operation.buffers, piece, size),
                 count);
      begin += count;
    }
  }

  lock.lock();
  operation.isBusy = false;
  --hub->numReading;
  hub->changed.notify_all();
  if (hub->isStopped)
    return;
  auto bytes = uint64_t(totalBytes(runs, size));
  for (Session::Place &place : session.places)
    if (&place != &operation.own())
      place.bytesTaken += bytes;
  operation.bytesReceived += bytes * uint64_t(operation.ranks() - 1);
  operation.isReduced = true;
  operation.own().isReduced = true;
  operation.isTaken[size_t(collective.place)] = true;
  ++session.numReduced;
}

void Threads::take(std::unique_lock<std::mutex> &lock, Operation &operation,
                   int32_t place) {
  const Collective &collective = operation.collective;
  Session::Place &other = operation.session->places[size_t(place)];
  int64_t size = sizeOf(collective.type);
  const std::vector<Run> &runs = operation.layout.movesFrom(place);
  const CollectiveBuffers &buffers = *other.buffers;
  operation.isBusy = true;
  ++hub->numReading;
  lock.unlock();

  if (place == collective.place) {
    copyLocally(collective, operation.layout, operation.buffers);
  } else {
    for (const Run &run : runs) {
      const char *from = operation.layout.hasReduction()
                             ? targetOf(buffers, run, size)
                             : sourceOf(buffers, run, size);
      char *to = targetOf(operation.buffers, run, size);
      int64_t bytes = run.count * size;
      for (int64_t begin = 0; begin < bytes && !hub->isStopped;
           begin += kPieceBytes)
        std::memcpy(to + begin, from + begin,
                    size_t(std::min(bytes - begin, kPieceBytes)));
    }
  }

  lock.lock();
  operation.isBusy = false;
  --hub->numReading;
  hub->changed.notify_all();
  if (hub->isStopped)
    return;
  operation.isTaken[size_t(place)] = true;
  if (place != collective.place) {
    auto bytes = uint64_t(totalBytes(runs, size));
    ++other.numTaken;
    other.bytesTaken += bytes;
    operation.bytesReceived += bytes;
  }
}

std::string Threads::timeOut(Operation &operation) {
  Session &session = *operation.session;
  bool isStarted = session.numStarted == session.places.size();
  std::vector<int32_t> missing;
  for (size_t place = 0; place < session.places.size(); ++place) {
    Session::Place &other = session.places[place];
    bool isMissing =
        isStarted
            ? &other != &operation.own() &&
                  (operation.layout.hasReduction() ? !other.isReduced : true)
            : !other.isStarted;
    if (isMissing)
      missing.push_back(session.group[place]);
  }
  std::string text =
      timeOutText(operation.collective, timeout, missing, isStarted);
  int others = 0;
  for (const auto &entry : hub->sessions)
    for (size_t place = 0; place < entry.second->places.size(); ++place)
      if (!isStarted && entry.second->places[place].isStarted &&
          entry.second->numStarted != entry.second->places.size() &&
          std::count(missing.begin(), missing.end(),
                     entry.second->group[place]) &&
          ++others <= 3)
        text += "; rank " + std::to_string(entry.second->group[place]) +
                " started " + entry.second->places[place].text;
  return text;
}

Error muon::makeThreadCommunicators(
    int32_t ranks, std::vector<std::unique_ptr<Communicator>> &communicators) {
  if (ranks < 1)
    return Error(MUON_ERROR_INVALID_ARGUMENT,
                 "expected at least 1 rank, found " + std::to_string(ranks));
  auto hub = std::make_shared<Hub>();
  communicators.clear();
  for (int32_t rank = 0; rank < ranks; ++rank)
    communicators.push_back(std::make_unique<Threads>(hub, rank, ranks));
  return Error::success();
}
