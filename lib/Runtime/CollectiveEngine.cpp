//===- CollectiveEngine.cpp - Collectives over a network ------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CollectiveEngine.h"

#include "CollectiveBackground.h"
#include "CollectiveExchange.h"

#include <algorithm>
#include <optional>

using namespace muon;
using namespace muon::collective;
using Clock = std::chrono::steady_clock;

/// How long a rank that failed goes on, so that others learn why and nobody
/// writes to memory that is about to be freed.
static constexpr std::chrono::milliseconds kLastWords(300);

/// A sign that ranks do not agree: starts of collectives that this rank has not
/// come to.
static constexpr size_t kMostEarly = 100000;

/// Spins at first, since most waits are short; yields, since ranks may share a
/// core.
static void rest(int &idle) {
  if (++idle < 2000)
    std::this_thread::yield();
  else
    std::this_thread::sleep_for(std::chrono::microseconds(50));
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

/// Holds the link. What another thread's abort() had to leave is done here.
class Engine::Use {
public:
  explicit Use(Engine &engine) : engine(engine) { engine.calls.lock(); }
  ~Use() {
    engine.calls.unlock();
    if (engine.isAborted)
      engine.abort(std::string());
  }

private:
  Engine &engine;
};

/// Keeps the background away from the link, and leaves the rest to it.
class Engine::Call {
public:
  explicit Call(Engine &engine) : engine(engine) {
    ++engine.numCalls;
    use.emplace(engine);
  }
  ~Call() {
    bool isLeft = engine.isUnderWay();
    use.reset();
    --engine.numCalls;
    if (isLeft)
      engine.wakeBackground();
  }

private:
  Engine &engine;
  std::optional<Use> use;
};

class Engine::Handle final : public Transfer {
public:
  Handle(Engine &engine, std::shared_ptr<Operation> operation)
      : engine(engine), operation(std::move(operation)) {}
  Error wait() override {
    if (isOver)
      return Error::success();
    Call call(engine);
    if (Error error = engine.wait(*operation))
      return error;
    isOver = true;
    return Error::success();
  }

private:
  Engine &engine;
  std::shared_ptr<Operation> operation;
  bool isOver = false;
};

Engine::Engine(std::unique_ptr<Link> link)
    : link(std::move(link)), tags(size_t(this->link->size())),
      inbox(size_t(kAnnouncementBytes)) {}

Engine::~Engine() {
  {
    std::lock_guard<std::mutex> lock(sleep);
    isEnding = true;
    wake.notify_one();
  }
  if (background.joinable())
    background.join();
  for (const std::shared_ptr<Operation> &operation : active) {
    if (failure || operation->isDone())
      continue;
    Error ignored =
        fail(Error(MUON_ERROR_EXECUTION,
                   destroyedText(describe(operation->collective()))));
    (void)bool(ignored);
  }
  if (inboxRequest.isActive)
    link->cancel(inboxRequest);
  auto end = Clock::now() + kLastWords;
  Link::Arrival arrival;
  while (inboxRequest.isActive && Clock::now() < end)
    if (Error error = link->test(inboxRequest, arrival))
      break;
  notes.remove_if([](const Note &note) { return !note.request.isActive; });
  if (!failure && !inboxRequest.isActive && notes.empty())
    return;
  // The network may still use these.
  static std::mutex mutex;
  static auto *kept = new std::vector<
      std::pair<std::vector<std::shared_ptr<Operation>>, std::vector<char>>>();
  std::lock_guard<std::mutex> lock(mutex);
  kept->emplace_back(std::move(active), std::move(inbox));
  for (Note &note : notes)
    kept->emplace_back(std::vector<std::shared_ptr<Operation>>(),
                       std::move(note.data));
  kept->emplace_back(std::vector<std::shared_ptr<Operation>>(),
                     std::move(farewell));
}

int32_t Engine::nextTag(int32_t rank) {
  constexpr uint32_t pairs = (Link::kLargestTag - 1) / 2;
  return 1 + 2 * int32_t(tags[size_t(rank)]++ % pairs);
}

Error Engine::start(const Collective &collective,
                    const CollectiveBuffers &buffers,
                    std::unique_ptr<Transfer> &transfer) {
  Call call(*this);
  if (failure)
    return failure;
  if (Error error = check(collective, buffers, rank(), size()))
    return error;
  bool moved = false;
  if (Error error = pollAnnouncements(moved))
    return fail(error);
  Key key = {hashGroup(collective.group), sequences[collective.group]++};
  auto operation = std::make_shared<Operation>(*link, collective, buffers, key);
  active.push_back(operation);
  auto handle = std::make_unique<Handle>(*this, operation);
  if (Error error =
          operation->begin([this](int32_t rank) { return nextTag(rank); }))
    return fail(error);
  auto found = early.find(key);
  if (found != early.end()) {
    std::vector<Early> announcements = std::move(found->second);
    early.erase(found);
    for (Early &other : announcements)
      if (Error error =
              operation->accept(other.rank, std::move(other.announcement)))
        return fail(error);
  }
  if (collective.group.size() == 1)
    if (Error error = operation->poll(moved))
      return fail(error);
  transfer = std::move(handle);
  return Error::success();
}

Error Engine::exchange(const std::string &mine, std::vector<std::string> &all) {
  return exchangeByCollectives(*this, traffic, mine, all);
}

Error Engine::checkStopped() {
  Call call(*this);
  if (failure)
    return failure;
  bool moved = false;
  if (Error error = poll(moved))
    return fail(error);
  return Error::success();
}

void Engine::setPlace(std::function<std::string()> value) {
  Call call(*this);
  place = std::move(value);
}

Error Engine::note(int32_t rank, Announcement::What what, std::string text) {
  Announcement announcement;
  announcement.what = what;
  announcement.text = std::move(text);
  Note &note = notes.emplace_back();
  note.data = announcement.pack();
  return link->send(rank, kAnnouncementTag, note.data.data(),
                    int64_t(note.data.size()), note.request);
}

std::vector<std::optional<std::string>>
Engine::askPlaces(std::chrono::milliseconds patience) {
  Call call(*this);
  answers.assign(size_t(size()), std::nullopt);
  Error error = failure;
  for (int32_t other = 0; other < size() && !error; ++other)
    if (other != rank())
      error = note(other, Announcement::Ask, std::string());
  const auto end = Clock::now() + patience;
  for (int idle = 0; !error && Clock::now() < end; rest(idle)) {
    if (std::count(answers.begin(), answers.end(), std::nullopt) == 1)
      break;
    bool moved = false;
    error = poll(moved);
  }
  if (error && !failure)
    error = fail(error);
  return std::exchange(answers, {});
}

Error Engine::wait(Operation &operation) {
  if (failure)
    return failure;
  auto begin = Clock::now();
  int idle = 0;
  while (!operation.isDone()) {
    bool moved = false;
    if (Error error = poll(moved))
      return fail(error);
    if (moved) {
      idle = 0;
      continue;
    }
    if (timeout.count() > 0 && Clock::now() - begin >= timeout)
      return fail(timeOut(operation));
    rest(idle);
  }
  traffic.bytesSent += operation.traffic().bytesSent;
  traffic.bytesReceived += operation.traffic().bytesReceived;
  traffic.collectives += operation.traffic().collectives;
  release(operation);
  return Error::success();
}

void Engine::release(const Operation &operation) {
  active.erase(std::find_if(active.begin(), active.end(),
                            [&](const std::shared_ptr<Operation> &other) {
                              return other.get() == &operation;
                            }));
}

//===----------------------------------------------------------------------===//
// Progress
//===----------------------------------------------------------------------===//

Error Engine::poll(bool &moved, bool givesWay) {
  if (isAborted) {
    std::lock_guard<std::mutex> lock(reasonMutex);
    return Error(MUON_ERROR_EXECUTION, reason);
  }
  if (Error error = pollAnnouncements(moved))
    return error;
  for (const std::shared_ptr<Operation> &operation : active) {
    if (givesWay && numCalls)
      break;
    if (!operation->isDone())
      if (Error error = operation->poll(moved))
        return error;
  }
  return Error::success();
}

Error Engine::pollAnnouncements(bool &moved) {
  if (size() == 1)
    return Error::success();
  for (auto it = notes.begin(); it != notes.end();) {
    Link::Arrival arrival;
    if (it->request.isActive)
      if (Error error = link->test(it->request, arrival))
        return error;
    it = it->request.isActive ? std::next(it) : notes.erase(it);
  }
  for (;;) {
    if (!inboxRequest.isActive) {
      if (Error error =
              link->receive(Link::kAnyPeer, kAnnouncementTag, inbox.data(),
                            int64_t(inbox.size()), inboxRequest))
        return error;
    }
    Link::Arrival arrival;
    if (Error error = link->test(inboxRequest, arrival))
      return error;
    if (inboxRequest.isActive)
      return Error::success();
    moved = true;
    Announcement announcement;
    if (!announcement.unpack(inbox.data(), arrival.bytes))
      return Error(MUON_ERROR_EXECUTION,
                   "rank " + std::to_string(arrival.peer) + " sent " +
                       std::to_string(arrival.bytes) +
                       " bytes that announce nothing; is it of another "
                       "version?");
    if (Error error = deliver(arrival.peer, std::move(announcement)))
      return error;
  }
}

Error Engine::deliver(int32_t rank, Announcement announcement) {
  if (announcement.what == Announcement::Abort)
    return fail(Error(MUON_ERROR_EXECUTION,
                      "rank " + std::to_string(rank) +
                          " stopped all ranks: " + announcement.text),
                /*isTold=*/true);
  if (announcement.what == Announcement::Ask)
    return place ? note(rank, Announcement::Answer, place()) : Error::success();
  if (announcement.what == Announcement::Answer) {
    // Later ones are of no use any more.
    if (size_t(rank) < answers.size())
      answers[size_t(rank)] = std::move(announcement.text);
    return Error::success();
  }
  for (const std::shared_ptr<Operation> &operation : active)
    if (operation->key() == announcement.key)
      return operation->accept(rank, std::move(announcement));
  if (early.size() > kMostEarly)
    return Error(MUON_ERROR_EXECUTION,
                 "other ranks start collectives that this rank does not, the "
                 "last being " +
                     announcement.text + " by rank " + std::to_string(rank));
  Key key = announcement.key;
  early[key].push_back({rank, std::move(announcement)});
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Background
//===----------------------------------------------------------------------===//

bool Engine::isUnderWay() const {
  return !failure && std::any_of(active.begin(), active.end(),
                                 [](const std::shared_ptr<Operation> &other) {
                                   return !other->isDone();
                                 });
}

void Engine::wakeBackground() {
  if (!link->isUsableEverywhere())
    return;
  std::lock_guard<std::mutex> lock(sleep);
  isNeeded = true;
  if (!background.joinable())
    background = makeBackground(rank(), [this] { runBackground(); });
  else if (isAsleep)
    wake.notify_one();
}

void Engine::runBackground() {
  std::unique_lock<std::mutex> lock(sleep);
  auto pause = kPause;
  for (int pauses = 0; !isEnding;) {
    if (!isNeeded && pauses >= kMostPauses) {
      isAsleep = true;
      wake.wait(lock);
      isAsleep = false;
      pauses = 0;
      continue;
    }
    bool moved = false;
    if (isNeeded) {
      isNeeded = false;
      lock.unlock();
      // Whoever calls says at the end if something is left.
      bool isLeft = !numCalls && pollInBackground(moved);
      lock.lock();
      isNeeded |= isLeft;
    }
    if (moved) {
      pause = kPause;
      continue;
    }
    pauses = isNeeded ? 0 : pauses + 1;
    wake.wait_for(lock, pause, [&] { return isEnding; });
    pause = isNeeded ? std::min(2 * pause, kLongestPause) : kPause;
  }
}

/// Whether something is left to do.
bool Engine::pollInBackground(bool &moved) {
  Use use(*this);
  // The link belongs to the caller when nothing is under way.
  if (!isUnderWay())
    return false;
  if (Error error =
          withoutExceptions([&] { return poll(moved, /*givesWay=*/true); }))
    if (Error failed = withoutExceptions([&] { return fail(error); }))
      return false;
  return isUnderWay();
}

//===----------------------------------------------------------------------===//
// Failure
//===----------------------------------------------------------------------===//

Error Engine::timeOut(const Operation &operation) {
  bool isStarted = false;
  std::vector<int32_t> missing = operation.missing(isStarted);
  std::string text =
      timeOutText(operation.collective(), timeout, missing, isStarted);
  int others = 0;
  for (const auto &entry : early)
    for (const Early &other : entry.second)
      if (std::count(missing.begin(), missing.end(), other.rank) &&
          ++others <= 3)
        text += "; rank " + std::to_string(other.rank) + " started " +
                other.announcement.text;
  return Error(MUON_ERROR_EXECUTION, std::move(text));
}

Error Engine::fail(Error error, bool isTold) {
  if (failure)
    return failure;
  failure = error;
  link->setFailed();
  if (!isTold)
    tell(error.message());
  // What is received is not written any more once its receive has ended.
  for (const std::shared_ptr<Operation> &operation : active)
    operation->cancel();
  auto end = Clock::now() + kLastWords;
  int idle = 0;
  for (bool isOver = false; !isOver && Clock::now() < end; rest(idle)) {
    isOver = true;
    for (const std::shared_ptr<Operation> &operation : active)
      if (Error ignored = operation->drain(isOver))
        continue;
    for (Link::Request &request : farewells) {
      Link::Arrival arrival;
      if (request.isActive)
        if (Error ignored = link->test(request, arrival))
          continue;
      isOver &= !request.isActive;
    }
  }
  return failure;
}

void Engine::tell(const std::string &reason) {
  Announcement announcement;
  announcement.what = Announcement::Abort;
  announcement.text = reason;
  farewell = announcement.pack();
  farewells.resize(size_t(size()));
  for (int32_t other = 0; other < size(); ++other)
    if (other != rank())
      if (Error ignored =
              link->send(other, kAnnouncementTag, farewell.data(),
                         int64_t(farewell.size()), farewells[size_t(other)]))
        continue;
}

void Engine::abort(const std::string &why) {
  {
    std::lock_guard<std::mutex> lock(reasonMutex);
    if (!isAborted)
      reason = why;
    isAborted = true;
  }
  // Whoever holds the lock looks once more when it has let go.
  if (!link->isUsableHere() || !calls.try_lock())
    return;
  std::string text;
  {
    std::lock_guard<std::mutex> lock(reasonMutex);
    text = reason;
  }
  Error ignored = fail(Error(MUON_ERROR_EXECUTION, text));
  (void)bool(ignored);
  calls.unlock();
}
