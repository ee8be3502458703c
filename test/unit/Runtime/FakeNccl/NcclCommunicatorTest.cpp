//===- NcclCommunicatorTest.cpp - Tests of collectives by NCCL ------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Device.h"
#include "NcclTest.h"
#include "World.h"

#include <algorithm>
#include <chrono>
#include <mutex>

using namespace muon;
using namespace muon::test;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

namespace {

class NcclCommunicatorTest : public NcclTest {
protected:
  void SetUp() override {
    NcclTest::SetUp();
    Error error = makeCpuDevice(device);
    ASSERT_FALSE(error);
  }

  /// Calls body(communicator) on each rank. Its result is "" if all was well.
  template <typename Body>
  std::vector<std::string> run(int ranks, Body body) {
    std::vector<std::unique_ptr<Communicator>> controls;
    Error error = makeThreadCommunicators(ranks, controls);
    EXPECT_FALSE(error);
    std::vector<std::string> results(size_t(ranks), "");
    onRanks(ranks, [&](int rank) {
      std::unique_ptr<Communicator> communicator;
      Error error = makeNcclCommunicator(
          library, std::move(controls[size_t(rank)]), nullptr, communicator);
      EXPECT_FALSE(error) << error.message();
      communicator->setTimeout(std::chrono::seconds(20));
      results[size_t(rank)] = body(*communicator);
    });
    return results;
  }

  /// Prepares the collectives of some trials, and executes them in order.
  std::string execute(Communicator &communicator,
                      const std::vector<Trial::Options> &all) {
    std::vector<std::unique_ptr<Trial>> trials;
    std::vector<Collective> collectives;
    for (const Trial::Options &options : all)
      if (std::count(options.group.begin(), options.group.end(),
                     communicator.rank())) {
        trials.push_back(std::make_unique<Trial>(options, communicator.rank()));
        // As a compiler would say it.
        list(trials.back()->collective, options);
        collectives.push_back(trials.back()->collective);
      }
    bool isDirect = true;
    if (Error error = communicator.prepare(*device, collectives))
      return error.message();
    if (Error error = communicator.beginRun(*device, nullptr, isDirect))
      return error.message();
    if (isDirect)
      return "memory of the host is not taken";
    for (const auto &trial : trials) {
      std::string text = trial->execute(communicator);
      if (!text.empty())
        return text;
    }
    if (Error error = communicator.finishRun())
      return error.message();
    return std::string();
  }

  static void list(Collective &collective, const Trial::Options &options) {
    Collective::Operand all, own;
    const bool isGather = collective.kind == Collective::AllGather;
    for (size_t i = 0; i < collective.segments.size(); ++i) {
      const Collective::Segment &segment = collective.segments[i];
      all.segments.push_back(int32_t(i));
      if ((isGather ? segment.from : segment.to) == collective.place)
        own.segments.push_back(int32_t(i));
    }
    all.isTable = own.isTable = !options.isContiguous;
    collective.send = {isGather ? own : all};
    collective.receive = {collective.kind == Collective::ReduceScatter ? own
                                                                       : all};
  }

  static Trial::Options optionsOf(const std::string &name,
                                  Collective::Kind kind,
                                  std::vector<int32_t> group,
                                  std::vector<int64_t> elements) {
    Trial::Options options;
    options.name = name;
    options.kind = kind;
    options.group = std::move(group);
    options.elements = std::move(elements);
    return options;
  }

  /// Of the moving calls of a rank, without the stream.
  static std::vector<std::string> movesOf(int rank) {
    std::vector<std::string> moves;
    for (std::string &call : callsOf(rank))
      if (size_t end = call.find(" group=");
          end != call.npos && call.rfind("ncclComm", 0) != 0)
        moves.push_back(call.substr(0, end));
    return moves;
  }

  std::shared_ptr<Device> device;
};

const Collective::Kind kinds[] = {Collective::AllReduce,
                                  Collective::ReduceScatter,
                                  Collective::AllGather, Collective::AllToAll};

/// With no failure, every message is empty.
testing::Matcher<const std::vector<std::string> &> isWell() {
  return testing::Each(std::string());
}

} // namespace

// Values, also those of neighbouring memory, by a definition of their own. The
// stand-in adds in the order of the ranks, so bits are known.
TEST_F(NcclCommunicatorTest, MovesWhatItShould) {
  for (int ranks : {1, 2, 3, 4}) {
    SCOPED_TRACE(ranks);
    std::vector<Trial::Options> all;
    uint64_t seed = 0;
    for (Collective::Kind kind : kinds)
      for (MuonType type :
           {MUON_TYPE_F32, MUON_TYPE_BF16, MUON_TYPE_F16, MUON_TYPE_F64})
        for (int variant = 0; variant < 4; ++variant) {
          Trial::Options options =
              optionsOf("trial " + std::to_string(++seed), kind,
                        firstRanks(ranks), {7, 0, 300, 1, 2, 2500});
          options.type = type;
          options.isMean = variant % 2;
          options.isInPlace = variant / 2;
          options.seed = seed;
          if (variant == 3)
            std::reverse(options.group.begin(), options.group.end());
          all.push_back(options);
        }
    EXPECT_THAT(run(ranks,
                    [&](Communicator &communicator) {
                      return execute(communicator, all);
                    }),
                isWell());
  }
}

TEST_F(NcclCommunicatorTest, GroupsAreSplitOffOnce) {
  // dp=2,tp=2, and everyone; each axis used twice.
  std::vector<Trial::Options> all;
  for (int turn = 0; turn < 2; ++turn)
    for (std::vector<int32_t> group : {std::vector<int32_t>{0, 1},
                                       {2, 3},
                                       {0, 2},
                                       {1, 3},
                                       {0, 1, 2, 3},
                                       {0},
                                       {1},
                                       {2},
                                       {3}})
      for (Collective::Kind kind : kinds)
        all.push_back(optionsOf("g", kind, group, {5, 6}));
  EXPECT_THAT(run(4,
                  [&](Communicator &communicator) {
                    std::string text = execute(communicator, all);
                    // Of another step.
                    return text.empty() ? execute(communicator, all) : text;
                  }),
              isWell());
  for (int rank = 0; rank < 4; ++rank) {
    std::vector<std::string> splits;
    for (const std::string &call : callsOf(rank))
      if (call.rfind("ncclCommSplit", 0) == 0)
        splits.push_back(call.substr(0, call.find(" comm=")));
    const std::string tp = std::to_string(rank / 2),
                      dp = std::to_string(rank % 2);
    EXPECT_THAT(splits,
                ElementsAre("ncclCommSplit color=" + tp + " key=" + dp,
                            "ncclCommSplit color=" + dp + " key=" + tp));
  }
}

TEST_F(NcclCommunicatorTest, RanksOfNoGroupTakePartInTheSplit) {
  EXPECT_THAT(run(3,
                  [&](Communicator &communicator) {
                    return execute(communicator,
                                   {optionsOf("g", Collective::AllReduce,
                                              {2, 0}, {5, 6})});
                  }),
              isWell());
  EXPECT_THAT(callsOf(1), testing::Contains(HasSubstr("color=-1")));
}

TEST_F(NcclCommunicatorTest, CallsOfEachKind) {
  std::vector<Trial::Options> all = {
      optionsOf("a", Collective::AllReduce, {0, 1}, {5, 6}),
      optionsOf("b", Collective::ReduceScatter, {0, 1}, {5, 6}),
      optionsOf("c", Collective::AllGather, {0, 1}, {5, 6}),
      optionsOf("d", Collective::AllToAll, {0, 1}, {5, 6})};
  all[0].type = MUON_TYPE_F64;
  all[1].type = MUON_TYPE_BF16;
  all[1].isMean = true;
  all[2].type = MUON_TYPE_F16;
  std::mutex mutex;
  std::vector<std::vector<Collective::Segment>> segments(4);
  EXPECT_THAT(
      run(2,
          [&](Communicator &communicator) {
            std::lock_guard<std::mutex> lock(mutex);
            for (size_t i = 0; i < all.size(); ++i)
              segments[i] =
                  Trial(all[i], communicator.rank()).collective.segments;
            return std::string();
          }),
      isWell());
  EXPECT_THAT(run(2,
                  [&](Communicator &communicator) {
                    return execute(communicator, all);
                  }),
              isWell());
  for (int rank : {0, 1}) {
    SCOPED_TRACE(rank);
    const std::string here = " comm=world rank=" + std::to_string(rank) + "/2";
    auto root = [&](size_t trial, size_t segment, bool to) {
      const Collective::Segment &found = segments[trial][segment];
      return " root=" + std::to_string(to ? found.to : found.from) + here;
    };
    std::vector<std::string> expected = {
        "ncclAllReduce count=5 type=f64 op=sum" + here,
        "ncclAllReduce count=6 type=f64 op=sum" + here,
        "ncclReduce count=5 type=bf16 op=avg" + root(1, 0, true),
        "ncclReduce count=6 type=bf16 op=avg" + root(1, 1, true),
        "ncclBroadcast count=5 type=f16" + root(2, 0, false),
        "ncclBroadcast count=6 type=f16" + root(2, 1, false)};
    for (const Collective::Segment &segment : segments[3])
      for (bool isSent : {true, false})
        if ((isSent ? segment.from : segment.to) == rank)
          expected.push_back(
              (isSent ? "ncclSend count=" : "ncclRecv count=") +
              std::to_string(segment.elements) + " type=f32 peer=" +
              std::to_string(isSent ? segment.to : segment.from) + here);
    EXPECT_EQ(movesOf(rank), expected);
  }
}

TEST_F(NcclCommunicatorTest, EvenOnesAreOneCall) {
  std::vector<Trial::Options> all;
  // Seeds whose segments are in the order of places, one for each.
  for (Collective::Kind kind :
       {Collective::ReduceScatter, Collective::AllReduce}) {
    Trial::Options options = optionsOf("even", kind, {0, 1}, {8, 8});
    options.isContiguous = true;
    for (;; ++options.seed) {
      const Trial trial(options, 0);
      if (kind == Collective::AllReduce ||
          (trial.collective.segments[0].to == 0 &&
           trial.collective.segments[1].to == 1))
        break;
    }
    all.push_back(options);
  }
  auto onRank1 = [&](bool isContiguous) {
    return run(2, [&](Communicator &communicator) {
      std::vector<Trial::Options> mine = all;
      for (Trial::Options &options : mine)
        options.isContiguous = communicator.rank() == 0 || isContiguous;
      return execute(communicator, mine);
    });
  };
  EXPECT_THAT(onRank1(true), isWell());
  for (int rank : {0, 1})
    EXPECT_THAT(movesOf(rank),
                ElementsAre(StartsWith("ncclReduceScatter count=8 "),
                            StartsWith("ncclAllReduce count=16 ")));
  // What one rank has in pieces, all move in pieces.
  reset("");
  EXPECT_THAT(onRank1(false), isWell());
  for (int rank : {0, 1})
    EXPECT_THAT(movesOf(rank),
                ElementsAre(StartsWith("ncclReduce count=8 "),
                            StartsWith("ncclReduce count=8 "),
                            StartsWith("ncclAllReduce count=8 "),
                            StartsWith("ncclAllReduce count=8 ")));
}

TEST_F(NcclCommunicatorTest, CountsTraffic) {
  EXPECT_THAT(run(3,
                  [&](Communicator &communicator) -> std::string {
                    const Trial::Options options = optionsOf(
                        "t", Collective::AllGather, firstRanks(3), {5, 6, 7});
                    std::string text = execute(communicator, {options});
                    const Traffic expected = getTraffic(
                        Trial(options, communicator.rank()).collective);
                    const Traffic &found = communicator.getTraffic();
                    if (found.bytesSent != expected.bytesSent ||
                        found.bytesReceived != expected.bytesReceived ||
                        found.collectives != 1)
                      text += " wrong traffic";
                    return text;
                  }),
              isWell());
}

//===----------------------------------------------------------------------===//
// What cannot be
//===----------------------------------------------------------------------===//

TEST_F(NcclCommunicatorTest, MovesMemoryOfGpusAlone) {
  auto real = std::make_shared<nccl::Library>(*library);
  real->movesHostMemory = false;
  library = real;
  for (const std::string &text : run(2, [&](Communicator &communicator) {
         return execute(communicator,
                        {optionsOf("a", Collective::AllReduce, {0, 1}, {5})});
       }))
    EXPECT_EQ(text, "NCCL moves memory of GPUs, and the step runs on device "
                    "'cpu'; use the communicator 'threads' or 'mpi' there");
}

TEST_F(NcclCommunicatorTest, GroupsHaveToBePrepared) {
  EXPECT_THAT(
      run(3,
          [&](Communicator &communicator) -> std::string {
            std::string text = execute(communicator, {});
            Trial trial(
                optionsOf("late", Collective::AllReduce, {0, 1, 2}, {4}),
                communicator.rank());
            trial.collective.group = {1, 0, 2};
            trial.collective.place =
                communicator.rank() == 2 ? 2 : 1 - communicator.rank();
            std::unique_ptr<Transfer> transfer;
            Error outside =
                communicator.start(trial.collective, trial.buffers, transfer);
            bool isDirect = false;
            Error begun = communicator.beginRun(*device, nullptr, isDirect);
            Error inside =
                communicator.start(trial.collective, trial.buffers, transfer);
            text += begun.message();
            if (outside.message().find("outside a run") == std::string::npos)
              text += "outside: " + outside.message();
            if (inside.message().find("have not prepared this group") ==
                std::string::npos)
              text += "inside: " + inside.message();
            return text;
          }),
      isWell());
}

TEST_F(NcclCommunicatorTest, TwoRanksOnOneGpu) {
  reset("one-gpu=1");
  for (const std::string &text : run(2, [&](Communicator &communicator) {
         return execute(communicator, {});
       }))
    EXPECT_THAT(
        text,
        AllOf(HasSubstr("setting up NCCL 2.21.5 for rank "),
              HasSubstr("Duplicate GPU detected : rank 0 and rank 1"),
              HasSubstr("NCCL takes one rank for each GPU: give each process "
                        "its own, by --device=cuda:{local_rank}")));
}

TEST_F(NcclCommunicatorTest, CommunicatorOfTheCaller) {
  nccl::UniqueId id;
  ASSERT_EQ(library->getUniqueId(&id), nccl::Success);
  std::vector<std::unique_ptr<Communicator>> controls;
  ASSERT_FALSE(makeThreadCommunicators(3, controls));
  onRanks(3, [&](int rank) {
    nccl::Comm given = nullptr;
    nccl::Config config;
    ASSERT_EQ(library->commInitRankConfig(&given, 3, id, rank, &config),
              nccl::Success);
    // Of two in another order.
    std::unique_ptr<Communicator> communicator;
    std::vector<std::unique_ptr<Communicator>> others;
    ASSERT_FALSE(makeThreadCommunicators(2, others));
    Error error = makeNcclCommunicator(library, std::move(others[0]), given,
                                       communicator);
    EXPECT_EQ(error.message(), "the NCCL communicator is that of rank " +
                                   std::to_string(rank) +
                                   " of 3, but this is rank 0 of 2");
    error = makeNcclCommunicator(library, std::move(controls[size_t(rank)]),
                                 given, communicator);
    ASSERT_FALSE(error) << error.message();
    EXPECT_EQ(execute(*communicator,
                      {optionsOf("a", Collective::AllReduce, {0, 1, 2}, {50}),
                       optionsOf("b", Collective::AllGather, {0, 1}, {5, 6})}),
              "");
    communicator.reset();
    // It is still the caller's.
    EXPECT_EQ(library->commAbort(given), nccl::Success);
  });
}
