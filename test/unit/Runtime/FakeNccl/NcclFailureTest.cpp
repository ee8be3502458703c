//===- NcclFailureTest.cpp - Tests of failures of NCCL --------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CommunicatorDirect.h"
#include "Device.h"
#include "NcclTest.h"
#include "World.h"

#include <chrono>
#include <mutex>
#include <optional>

using namespace muon;
using namespace muon::test;
using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using Clock = std::chrono::steady_clock;

namespace {

class NcclFailureTest : public NcclTest {
protected:
  void SetUp() override {
    NcclTest::SetUp();
    ASSERT_FALSE(makeCpuDevice(device));
  }
  void TearDown() override { EXPECT_EQ(numAlive(), numLost); }

  using Body = std::function<Error(Communicator &)>;

  /// Messages of ranks that do `body`.
  std::vector<std::string>
  run(int ranks, const Body &body,
      std::chrono::milliseconds timeout = std::chrono::seconds(20)) {
    std::vector<std::unique_ptr<Communicator>> controls;
    EXPECT_FALSE(makeThreadCommunicators(ranks, controls));
    std::vector<std::string> messages(size_t(ranks), "");
    onRanks(ranks, [&](int rank) {
      std::unique_ptr<Communicator> communicator;
      Error error = makeNcclCommunicator(
          library, std::move(controls[size_t(rank)]), nullptr, communicator);
      EXPECT_FALSE(error) << error.message();
      communicator->setTimeout(timeout);
      messages[size_t(rank)] = body(*communicator).message();
    });
    return messages;
  }

  /// All kinds of collectives of everybody, and of the first two alone.
  Error step(Communicator &communicator) {
    std::vector<std::unique_ptr<Trial>> trials;
    std::vector<Collective> collectives;
    for (auto [kind, name, ranks] :
         {std::tuple(Collective::ReduceScatter, "gradients 0", 3),
          {Collective::AllReduce, "sums", 3},
          {Collective::AllToAll, "X", 2},
          {Collective::AllGather, "weights 0", 3}}) {
      if (communicator.rank() >= ranks)
        continue;
      Trial::Options options;
      options.kind = kind;
      options.name = name;
      options.group = firstRanks(ranks);
      options.elements = {700, 800, 900, 1000};
      trials.push_back(std::make_unique<Trial>(options, communicator.rank()));
      trials.back()->buffers.tensors = [name = std::string(name)] {
        return "weight 'w of " + name + "'";
      };
      // In tables.
      Collective &collective = trials.back()->collective;
      collective.send = collective.receive = {{true, {}}};
      collectives.push_back(collective);
    }
    bool isDirect = false;
    if (Error error = communicator.prepare(*device, collectives))
      return error;
    if (Error error = communicator.beginRun(*device, nullptr, isDirect))
      return error;
    for (const auto &trial : trials) {
      std::unique_ptr<Transfer> transfer;
      if (Error error =
              communicator.start(trial->collective, trial->buffers, transfer))
        return error;
      if (Error error = transfer->wait())
        return error;
      EXPECT_EQ(trial->verify(), "");
    }
    return communicator.finishRun();
  }

  std::shared_ptr<Device> device;
  int numLost = 0;
};

} // namespace

// Every function that is called, at the first and at a later call: the rank
// that fails says which function it was and for what, the others that it has
// failed.
TEST_F(NcclFailureTest, EachCallMayFail) {
  const struct {
    const char *name, *of;
    int count;
  } sites[] = {{"ncclCommInitRankConfig", "setting up NCCL", 1},
               {"ncclCommSplit", "splitting the NCCL communicator", 1},
               {"ncclGroupStart", "reduce_scatter 'gradients 0'", 1},
               {"ncclGroupStart", "all_reduce 'sums'", 2},
               {"ncclGroupStart", "all_to_all 'X'", 3},
               {"ncclGroupEnd", "reduce_scatter 'gradients 0'", 1},
               {"ncclGroupEnd", "all_gather 'weights 0'", 4},
               {"ncclReduce", "reduce_scatter 'gradients 0'", 1},
               {"ncclReduce", "reduce_scatter 'gradients 0'", 4},
               {"ncclAllReduce", "all_reduce 'sums'", 1},
               {"ncclSend", "all_to_all 'X'", 1},
               {"ncclRecv", "all_to_all 'X'", 1},
               {"ncclBroadcast", "all_gather 'weights 0'", 2},
               {"ncclCommGetAsyncError", "setting up NCCL", 1}};
  for (const auto &site : sites) {
    SCOPED_TRACE(std::string(site.name) + " " + std::to_string(site.count));
    reset(std::string("fail=") + site.name + ":" + std::to_string(site.count) +
          ":1:2");
    const auto begin = Clock::now();
    std::vector<std::string> messages =
        run(3, [&](Communicator &communicator) { return step(communicator); });
    EXPECT_LT(Clock::now() - begin, std::chrono::seconds(10));
    EXPECT_THAT(messages[1],
                AllOf(StartsWith(site.of), HasSubstr(site.name),
                      HasSubstr("failed: ncclSystemError (2): fake: unhandled "
                                "system error")));
    if (std::string(site.of).find('\'') != std::string::npos)
      EXPECT_THAT(messages[1], HasSubstr(" of weight 'w of "));
    for (int rank : {0, 2})
      EXPECT_EQ(messages[size_t(rank)],
                "rank 1 stopped all ranks: " + messages[1]);
  }
}

TEST_F(NcclFailureTest, NoUniqueId) {
  reset("fail=ncclGetUniqueId:1:*:2");
  std::vector<std::string> messages =
      run(2, [&](Communicator &communicator) { return step(communicator); });
  EXPECT_THAT(messages[0], StartsWith("ncclGetUniqueId failed: "));
  EXPECT_EQ(messages[1], "rank 0 stopped all ranks: " + messages[0]);
}

// Errors that come to light while data moves.
TEST_F(NcclFailureTest, AsynchronousErrors) {
  for (const char *fault : {"moving:1:1:async-6", "moved:2:1:async-6",
                            "ncclGroupEnd:1:1:async-6", "moving:4:1:6"}) {
    SCOPED_TRACE(fault);
    reset(std::string("fail=") + fault);
    std::vector<std::string> messages =
        run(3, [&](Communicator &communicator) { return step(communicator); });
    EXPECT_THAT(messages[1], HasSubstr(" failed: ncclRemoteError (6): "));
    for (int rank : {0, 2})
      EXPECT_EQ(messages[size_t(rank)],
                "rank 1 stopped all ranks: " + messages[1]);
  }
}

TEST_F(NcclFailureTest, HangsEndAtTheDeadline) {
  for (const char *fault : {"ncclGroupEnd:1:1:hang", "moving:2:1:hang",
                            "ncclCommInitRankConfig:1:1:hang"}) {
    SCOPED_TRACE(fault);
    reset(std::string("fail=") + fault);
    const auto begin = Clock::now();
    std::vector<std::string> messages = run(
        3, [&](Communicator &communicator) { return step(communicator); },
        std::chrono::milliseconds(300));
    EXPECT_LT(Clock::now() - begin, std::chrono::seconds(10));
    // The ranks may have come to different points; those that only tell each
    // other something know who is missing.
    for (const std::string &message : messages)
      EXPECT_THAT(
          message,
          AnyOf(AllOf(HasSubstr("timed out after 0.3 s: "),
                      AnyOf(HasSubstr("all its ranks are there"),
                            HasSubstr("rank 1 is in run 1 at "),
                            HasSubstr("is in run 1 at all_reduce 'sums'")),
                      AnyOf(HasSubstr("'gradients 0'"), HasSubstr("'sums'"),
                            HasSubstr("setting up NCCL"))),
                HasSubstr("rank [1] has not started it")));
  }
}

// Of those that a collective waits for, by the connection that is not NCCL's.
TEST_F(NcclFailureTest, TimeOutsNameTheRanksThatDidNotCome) {
  // The communicator of ranks 1 and 2.
  reset("fail=ncclAllReduce:1:2:hang");
  const auto timeout = std::chrono::milliseconds(300);
  std::vector<std::string> messages =
      run(4, [&](Communicator &communicator) -> Error {
        const int rank = communicator.rank();
        Trial::Options options;
        options.kind = Collective::AllReduce;
        options.name = "all";
        options.group = firstRanks(4);
        options.elements = {4};
        Trial all(options, rank);
        options.name = "two";
        options.group = {1, 2};
        std::optional<Trial> two;
        std::vector<Collective> collectives = {all.collective};
        if (rank == 1 || rank == 2) {
          two.emplace(options, rank);
          two->buffers.tensors = [] { return std::string("weight 'w'"); };
          collectives.push_back(two->collective);
        }
        bool isDirect = false;
        if (Error error = communicator.prepare(*device, collectives))
          return error;
        // The last one never comes.
        if (rank == 3) {
          std::this_thread::sleep_for(4 * timeout);
          return communicator.checkStopped();
        }
        if (Error error = communicator.beginRun(*device, nullptr, isDirect))
          return error;
        // The others have time to answer.
        if (rank == 0)
          communicator.setTimeout(timeout);
        std::unique_ptr<Transfer> transfer;
        if (two)
          if (Error error =
                  communicator.start(two->collective, two->buffers, transfer))
            return error;
        return communicator.start(all.collective, all.buffers, transfer);
      });
  const std::string elsewhere =
      " is in run 1 at all_reduce 'two' (f32, sum, 16 bytes) of group [1, 2] "
      "of weight 'w', collective 1 of the step";
  EXPECT_EQ(messages[0],
            "all_reduce 'all' (f32, sum, 16 bytes) of group [0, 1, 2, 3] timed "
            "out after 0.3 s: rank 3 does not answer: stopped, or not in a "
            "step; rank 1" +
                elsewhere + "; rank 2" + elsewhere);
  for (int rank : {1, 2, 3})
    EXPECT_EQ(messages[size_t(rank)],
              "rank 0 stopped all ranks: " + messages[0]);
}

// A rank that goes elsewhere, as one does that finds a bad file.
TEST_F(NcclFailureTest, AbortReachesThoseThatWait) {
  const auto begin = Clock::now();
  std::vector<std::string> messages =
      run(3, [&](Communicator &communicator) -> Error {
        if (communicator.rank() != 2)
          return step(communicator);
        if (Error error = communicator.prepare(*device, {}))
          return error;
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        communicator.abort("no room for 'w'");
        return communicator.checkStopped();
      });
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(10));
  EXPECT_EQ(messages[2], "no room for 'w'");
  for (int rank : {0, 1})
    EXPECT_EQ(messages[size_t(rank)],
              "rank 2 stopped all ranks: no room for 'w'");
}

TEST_F(NcclFailureTest, AbortFromAnotherThread) {
  std::vector<std::string> messages =
      run(3, [&](Communicator &communicator) -> Error {
        if (communicator.rank() == 2) {
          if (Error error = communicator.prepare(*device, {}))
            return error;
          while (!communicator.checkStopped())
            std::this_thread::yield();
          return communicator.checkStopped();
        }
        if (communicator.rank() == 1)
          return step(communicator);
        std::thread other([&] {
          std::this_thread::sleep_for(std::chrono::milliseconds(100));
          communicator.abort("stopped by a signal");
        });
        Error error = step(communicator);
        other.join();
        // For good.
        EXPECT_EQ(step(communicator).message(), error.message());
        return error;
      });
  EXPECT_EQ(messages[0], "stopped by a signal");
  for (int rank : {1, 2})
    EXPECT_EQ(messages[size_t(rank)],
              "rank 0 stopped all ranks: stopped by a signal");
}

// Not even what was captured while all was well.
TEST_F(NcclFailureTest, NothingIsLaunchedAfterAnAbort) {
  std::vector<std::string> messages =
      run(2, [&](Communicator &communicator) -> Error {
        DirectCommunicator &direct = *communicator.direct();
        bool isDirect = false;
        if (Error error = communicator.prepare(*device, {}))
          return error;
        if (Error error = communicator.beginRun(*device, nullptr, isDirect))
          return error;
        std::string refusal;
        std::shared_ptr<const DirectCommunicator::Recording> recording;
        direct.beginCapture(nullptr);
        direct.endCapture(refusal, recording);
        EXPECT_EQ(refusal, "");
        int numLaunches = 0;
        auto launch = [&] {
          ++numLaunches;
          return Error::success();
        };
        EXPECT_FALSE(direct.launch(*recording, launch));
        std::vector<std::string> all;
        if (Error error = communicator.exchange("", all))
          return error;
        if (communicator.rank() == 0)
          communicator.abort("stopped");
        else
          while (!communicator.checkStopped())
            std::this_thread::yield();
        Error error = direct.launch(*recording, launch);
        EXPECT_EQ(numLaunches, 1);
        return error;
      });
  EXPECT_EQ(messages[0], "stopped");
  EXPECT_EQ(messages[1], "rank 0 stopped all ranks: stopped");
}

// An abort that waits for ever is left behind, and so is what it has not freed.
TEST_F(NcclFailureTest, AbortThatHangs) {
  reset("fail=ncclAllReduce:1:0:2,fail=ncclCommAbort:1:0:hang");
  const auto begin = Clock::now();
  std::vector<std::string> messages =
      run(3, [&](Communicator &communicator) { return step(communicator); });
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(15));
  EXPECT_THAT(messages[0], StartsWith("all_reduce 'sums'"));
  EXPECT_EQ(messages[1], "rank 0 stopped all ranks: " + messages[0]);
  numLost = 1;
}

// One that does not come to the end of the others is not waited for.
TEST_F(NcclFailureTest, EndWithoutTheOthers) {
  reset("fail=ncclCommFinalize:1:0:2");
  const auto begin = Clock::now();
  EXPECT_THAT(
      run(3, [&](Communicator &communicator) { return step(communicator); }),
      testing::Each(std::string()));
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(15));
  EXPECT_THAT(callsOf(0), testing::Contains(StartsWith("ncclCommAbort")));
}

TEST_F(NcclFailureTest, NothingIsLeftOpenAfterAFailure) {
  reset("fail=ncclReduce:2:1:2");
  run(3, [&](Communicator &communicator) { return step(communicator); });
  int open = 0;
  for (const std::string &call : callsOf(1)) {
    open += call == "ncclGroupStart";
    open -= call == "ncclGroupEnd";
  }
  EXPECT_EQ(open, 0);
}
