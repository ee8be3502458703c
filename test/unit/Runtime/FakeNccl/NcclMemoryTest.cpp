//===- NcclMemoryTest.cpp - Memory registered with NCCL ------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FakeCuda.h"
#include "Manifest.h"
#include "NcclTest.h"
#include "StepCollectives.h"

using namespace muon;
using namespace muon::test;
using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

namespace {

constexpr int numRanks = 3;
constexpr int64_t numElements = 6;
constexpr uint64_t numBytes = numElements * sizeof(float);

/// A collective of everybody, and where its buffers are.
struct Use {
  Collective::Kind kind = Collective::AllReduce;
  bool isSentInside = true, isReceivedInside = true;
  /// Of all_gather; all of rank 0 otherwise.
  bool isEven = true;
};

class NcclMemoryTest : public NcclTest {
protected:
  void SetUp() override {
    ASSERT_TRUE(fakeCudaReset(""));
    options("");
    Error error = nccl::Library::load(FAKE_NCCL, library);
    ASSERT_FALSE(error) << error.message();
  }
  void TearDown() override {
    EXPECT_EQ(numAlive(), 0);
    EXPECT_EQ(fakeNcclRegistered(), 0);
    EXPECT_STREQ(fakeNcclFindings(), "");
    FakeCudaStats stats = {};
    fakeCudaStats(&stats);
    EXPECT_EQ(stats.leaked, 0u);
    EXPECT_EQ(stats.allocations, 0u);
    EXPECT_EQ(stats.hostAllocations, 0u);
  }

  void options(const std::string &text) {
    reset("driver=" FAKE_CUDA "," + text);
    // Which depends on the version.
    ASSERT_FALSE(nccl::Library::load(FAKE_NCCL, library));
  }

  static Collective collectiveOf(const Use &use, int rank, size_t number) {
    Collective collective;
    collective.kind = use.kind;
    collective.name = "use " + std::to_string(number);
    collective.group = {0, 1, 2};
    collective.place = rank;
    if (use.kind == Collective::AllReduce) {
      collective.segments = {{numElements, -1, -1}};
      collective.send = collective.receive = {{false, {0}}};
      return collective;
    }
    Collective::Operand all;
    for (int from = 0; from < (use.isEven ? numRanks : 1); ++from) {
      collective.segments.push_back(
          {use.isEven ? numElements / numRanks : numElements, from, -1});
      all.segments.push_back(from);
    }
    collective.send = {{false, {}}};
    if (use.isEven || rank == 0)
      collective.send[0].segments = {rank};
    collective.receive = {all};
    return collective;
  }

  /// Three runs of steps with these collectives; how the last ones went.
  std::vector<std::string> run(const std::vector<Use> &uses) {
    std::vector<std::unique_ptr<Communicator>> controls;
    EXPECT_FALSE(makeThreadCommunicators(numRanks, controls));
    std::vector<std::string> texts(numRanks);
    onRanks(numRanks, [&](int rank) {
      std::unique_ptr<Communicator> made;
      EXPECT_FALSE(makeNcclCommunicator(
          library, std::move(controls[size_t(rank)]), nullptr, made));
      made->setTimeout(std::chrono::seconds(20));
      texts[size_t(rank)] = runHere(rank, uses, std::move(made));
    });
    return texts;
  }

  std::string runHere(int rank, const std::vector<Use> &uses,
                      std::shared_ptr<Communicator> communicator) {
    std::shared_ptr<Device> device;
    EXPECT_FALSE(makeCudaDevice("driver=" FAKE_CUDA, device));
    Distribution distribution;
    distribution.grid = {{"dp", numRanks}};
    distribution.rank = rank;
    distribution.ranks = numRanks;
    distribution.plan = {"memory"};
    for (size_t i = 0; i < uses.size(); ++i)
      distribution.collectives.push_back(collectiveOf(uses[i], rank, i));
    // What is sent, and what is received.
    void *arena = nullptr, *tensor = nullptr;
    EXPECT_FALSE(device->allocate(2 * numBytes, 64, "scratch memory", arena));
    EXPECT_FALSE(device->allocate(2 * numBytes, 64, "a tensor", tensor));
    std::string text;
    {
      StepCollectives step(distribution, *device, nullptr);
      step.setArena(arena, 2 * numBytes);
      Error error = step.setCommunicator(communicator);
      for (int i = 0; i < 3 && !error; ++i)
        error = device->inContext(
            [&] { return runOnce(step, *device, rank, uses, arena, tensor); });
      text = error ? error.message() : step.describeRun();
    }
    device->deallocate(arena);
    device->deallocate(tensor);
    return text;
  }

  static Error runOnce(StepCollectives &step, Device &device, int rank,
                       const std::vector<Use> &uses, void *arena,
                       void *tensor) {
    if (Error error = step.begin(nullptr))
      return error;
    StepCollectives::Way way;
    if (Error error = step.choose("not in this test", false, way))
      return error;
    for (size_t i = 0; i < uses.size(); ++i) {
      const Use &use = uses[i];
      auto *send = static_cast<char *>(use.isSentInside ? arena : tensor);
      auto *receive =
          static_cast<char *>(use.isReceivedInside ? arena : tensor) + numBytes;
      const std::vector<float> mine(numElements, float(rank + 1));
      EXPECT_FALSE(device.upload(send, mine.data(), numBytes, nullptr));
      void *buffers[] = {send, receive};
      StepCollectives::hostStart(&step, int32_t(i), buffers);
      StepCollectives::hostWait(&step, int32_t(i));
      if (step.hasFailed())
        break;
      std::vector<float> found(numElements);
      EXPECT_FALSE(device.download(found.data(), receive, numBytes, nullptr));
      for (int64_t j = 0; j < numElements; ++j)
        EXPECT_EQ(found[size_t(j)], use.kind == Collective::AllReduce ? 6.f
                                    : use.isEven ? float(1 + j / 2)
                                                 : 1.f);
    }
    return step.finish(Error::success());
  }

  int count(const std::string &name) {
    int found = 0;
    for (int rank = 0; rank < numRanks; ++rank)
      for (const std::string &call : callsOf(rank))
        found += call.rfind(name + " ", 0) == 0;
    return found;
  }
};

constexpr char allRegistered[] =
    "scratch memory registered for 1 of the 1 groups that use it";

} // namespace

TEST_F(NcclMemoryTest, IsRegisteredOnceAfterTheFirstRun) {
  EXPECT_THAT(run({{}, {Collective::AllGather}}),
              Each(AllOf(StartsWith("call by call: "),
                         testing::EndsWith(allRegistered))));
  EXPECT_EQ(count("ncclCommRegister"), numRanks);
  EXPECT_EQ(count("ncclCommDeregister"), numRanks);
  std::vector<std::string> calls = callsOf(1);
  auto isCalled = [&](const char *name) {
    return std::find_if(
        calls.begin(), calls.end(),
        [&](const std::string &call) { return call.rfind(name, 0) == 0; });
  };
  EXPECT_LT(isCalled("ncclAllReduce"), isCalled("ncclCommRegister"));
  EXPECT_LT(isCalled("ncclCommDeregister"), isCalled("ncclCommFinalize"));
}

// Tensors belong to the caller, who may free them at any time. What matters is
// that all ranks have the same in registered memory.
TEST_F(NcclMemoryTest, CallsWithTensors) {
  EXPECT_THAT(run({{Collective::AllReduce, false, true}}),
              Each(HasSubstr(allRegistered)));
  EXPECT_THAT(run({{Collective::AllGather, true, false, false}, {}}),
              Each(HasSubstr("registered for 0 of the 1 groups that use it "
                             "(others use tensors in the same calls")));
  EXPECT_THAT(run({{Collective::AllGather, true, true, false}}),
              Each(HasSubstr(allRegistered)));
  EXPECT_THAT(run({{Collective::AllReduce, false, false}}),
              Each(Not(HasSubstr("registered"))));
}

TEST_F(NcclMemoryTest, OneRankThatCannotIsEnough) {
  options("fail=ncclCommRegister:1:1:2");
  EXPECT_THAT(run({{}}),
              Each(HasSubstr("registered for 0 of the 1 groups that use it "
                             "(rank 1: ncclCommRegister failed: "
                             "ncclSystemError (2)")));
  EXPECT_EQ(count("ncclCommDeregister"), 2);
  options("local-register=0");
  EXPECT_THAT(run({{}}), Each(HasSubstr("(rank 0: NCCL leaves it out "
                                        "(NCCL_LOCAL_REGISTER))")));
  EXPECT_EQ(count("ncclCommDeregister"), 0);
  options("version=21805");
  EXPECT_THAT(run({{}}), Each(HasSubstr("(rank 0: NCCL 2.18.5 cannot, which "
                                        "came with 2.19)")));
  EXPECT_EQ(count("ncclCommRegister"), 0);
}

TEST_F(NcclMemoryTest, NothingIsDeregisteredAfterAnAbort) {
  options("fail=ncclAllReduce:3:1:2");
  EXPECT_THAT(run({{}}), Each(HasSubstr("all_reduce 'use 0'")));
  EXPECT_EQ(count("ncclCommRegister"), numRanks);
  EXPECT_EQ(count("ncclCommDeregister"), 0);
}

// The stand-in: that the tests above can fail.
TEST_F(NcclMemoryTest, TheStandInSeesWhatIsWrong) {
  std::shared_ptr<Device> device;
  ASSERT_FALSE(makeCudaDevice("driver=" FAKE_CUDA, device));
  nccl::UniqueId id = {};
  ASSERT_EQ(library->getUniqueId(&id), nccl::Success);
  onRanks(2, [&](int rank) {
    nccl::Config config;
    nccl::Comm comm = nullptr;
    config.blocking = 1;
    ASSERT_EQ(library->commInitRankConfig(&comm, 2, id, rank, &config),
              nccl::Success);
    void *memory = nullptr, *handle = nullptr;
    ASSERT_FALSE(device->allocate(64, 64, "a buffer", memory));
    const std::vector<float> zeros(16);
    ASSERT_FALSE(device->upload(memory, zeros.data(), 64, nullptr));
    if (rank == 0)
      EXPECT_EQ(library->commRegister(comm, memory, 64, &handle),
                nccl::Success);
    auto result = device->inContext([&] {
      return library->check(library->allReduce(memory, memory, 4, nccl::Float32,
                                               nccl::Sum, comm, nullptr),
                            "ncclAllReduce", comm);
    });
    EXPECT_THAT(result.message(), HasSubstr("calls something else"));
    device->deallocate(memory);
    if (rank == 0)
      EXPECT_EQ(library->commDeregister(comm, handle), nccl::Success);
    library->commAbort(comm);
  });
  EXPECT_STREQ(fakeNcclFindings(),
               "ncclCommDeregister: the memory was freed before\n");
  options("");
}
