//===- BootstrapTest.cpp - Tests of how processes become ranks ------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tcp/Bootstrap.h"

#include "TestArtifact.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <thread>

#include <sys/stat.h>

using namespace muon;
using namespace muon::tcp;
using testing::AllOf;
using testing::AnyOf;
using testing::Each;
using testing::HasSubstr;
using testing::StartsWith;

namespace {

using Variables = std::map<std::string, std::string>;

Environment environmentOf(const Variables &variables) {
  return [&variables](const char *name) -> const char * {
    auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
}

std::string launchText(const Variables &variables) {
  Launch launch;
  if (Error error = findLaunch(environmentOf(variables), launch))
    return error.message();
  return std::to_string(launch.kind) + ": " + std::to_string(launch.rank) +
         "/" + std::to_string(launch.ranks) + ", " +
         std::to_string(launch.localRank) + "/" +
         std::to_string(launch.localRanks);
}

class MeetTest : public testing::Test {
protected:
  std::string file(const char *name) const { return directory.file(name); }

  /// All ranks meet, and exchange their numbers; messages of each.
  std::vector<std::string>
  meetAll(int ranks, const std::function<Meeting(int)> &meetingOf,
          const std::function<Variables(int)> &variablesOf) {
    std::vector<std::string> messages(size_t(ranks), "");
    std::vector<std::thread> threads;
    for (int rank = 0; rank < ranks; ++rank)
      threads.emplace_back([&, rank] {
        const Variables variables = variablesOf(rank);
        std::unique_ptr<Communicator> communicator;
        Error error =
            meet(meetingOf(rank), environmentOf(variables), communicator);
        std::vector<std::string> all;
        if (!error)
          error = communicator->exchange(std::to_string(rank), all);
        messages[size_t(rank)] = error.message();
        if (!error)
          for (int other = 0; other < ranks; ++other)
            EXPECT_EQ(all[size_t(other)], std::to_string(other));
      });
    for (std::thread &thread : threads)
      thread.join();
    return messages;
  }

  Meeting byFile(int rank, int ranks, int milliseconds = 20000) const {
    Meeting meeting;
    meeting.launch.rank = rank;
    meeting.launch.ranks = ranks;
    meeting.file = file("meet");
    meeting.timeout = std::chrono::milliseconds(milliseconds);
    return meeting;
  }

  /// A port that was free a moment ago.
  static uint16_t freePort() {
    Address address = {"127.0.0.1", 0};
    Socket socket;
    EXPECT_FALSE(listenOn(address, socket));
    return address.port;
  }

  TemporaryDirectory directory;
};

} // namespace

TEST(LaunchTest, Launchers) {
  EXPECT_EQ(launchText({}), "0: 0/1, 0/0");
  EXPECT_EQ(launchText({{"RANK", "3"},
                        {"WORLD_SIZE", "8"},
                        {"LOCAL_RANK", "1"},
                        {"LOCAL_WORLD_SIZE", "2"}}),
            "1: 3/8, 1/2");
  EXPECT_EQ(launchText({{"OMPI_COMM_WORLD_RANK", "0"},
                        {"OMPI_COMM_WORLD_SIZE", "4"},
                        {"OMPI_COMM_WORLD_LOCAL_RANK", "0"},
                        {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"}}),
            "2: 0/4, 0/4");
  EXPECT_EQ(launchText({{"SLURM_PROCID", "5"},
                        {"SLURM_NTASKS", "6"},
                        {"SLURM_LOCALID", "2"}}),
            "3: 5/6, 2/0");
  // What torchrun says is nearer than what started torchrun.
  EXPECT_EQ(launchText({{"RANK", "1"},
                        {"WORLD_SIZE", "2"},
                        {"SLURM_PROCID", "0"},
                        {"SLURM_NTASKS", "1"}}),
            "1: 1/2, 0/0");
}

TEST(LaunchTest, MissingAndWrongVariables) {
  EXPECT_EQ(launchText({{"RANK", "1"}}),
            "environment variable WORLD_SIZE is missing, which torchrun sets "
            "together with RANK=1");
  EXPECT_EQ(launchText({{"SLURM_PROCID", "1"}}),
            "environment variable SLURM_NTASKS is missing, which srun sets "
            "together with SLURM_PROCID=1");
  EXPECT_EQ(launchText({{"OMPI_COMM_WORLD_RANK", "0"},
                        {"OMPI_COMM_WORLD_SIZE", "many"}}),
            "environment variable OMPI_COMM_WORLD_SIZE is 'many', expected a "
            "number from 1 to 1048576");
  EXPECT_EQ(launchText({{"RANK", "2"}, {"WORLD_SIZE", "2"}}),
            "environment variable RANK is '2', expected a number from 0 to 1");
  EXPECT_EQ(
      launchText({{"RANK", "1"}, {"WORLD_SIZE", "2"}, {"LOCAL_RANK", "-1"}}),
      "environment variable LOCAL_RANK is '-1', expected a number from "
      "0 to 1");
}

TEST(LaunchTest, HostsOfSlurm) {
  for (auto [list, host] : {std::pair("n1", "n1"),
                            {"n1,n2", "n1"},
                            {"n[01-04,7],m", "n01"},
                            {"n[7],m", "n7"},
                            {"n[3,1]", "n3"},
                            {"r[1-2]n[05-06]-ib,x", "r1n05-ib"},
                            {"", ""},
                            {"n[1", ""}})
    EXPECT_EQ(firstHost(list), host) << list;
}

TEST(RendezvousTest, ReadsWhatItWrites) {
  Rendezvous written;
  written.ranks = 12;
  written.address = {"10.1.2.3", 4242};
  for (size_t i = 0; i < written.secret.size(); ++i)
    written.secret[i] = char(37 * i);
  const std::string text = written.text();
  Rendezvous read;
  ASSERT_EQ(read.parse(text), "");
  EXPECT_EQ(read.ranks, 12);
  EXPECT_EQ(read.address.text(), "10.1.2.3:4242");
  EXPECT_EQ(read.secret, written.secret);
  // No part of it is one.
  for (size_t bytes = 0; bytes < text.size(); ++bytes)
    EXPECT_THAT(read.parse(text.substr(0, bytes)),
                AnyOf(HasSubstr("truncated"), HasSubstr("expected")))
        << bytes;
  EXPECT_THAT(read.parse("muon-rendezvous 2\n"),
              HasSubstr("expected 'muon-rendezvous 1', found"));
  std::string wrong = text;
  wrong.replace(wrong.find("secret ") + 7, 1, "g");
  EXPECT_THAT(read.parse(wrong), HasSubstr("64 hexadecimal digits"));
}

TEST_F(MeetTest, ByFile) {
  for (int ranks : {1, 2, 5})
    EXPECT_THAT(meetAll(
                    ranks, [&](int rank) { return byFile(rank, ranks); },
                    [](int) { return Variables(); }),
                Each(std::string()));
  struct stat info = {};
  ASSERT_EQ(::stat(file("meet").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

// Whoever finds it first tries, and goes on looking.
TEST_F(MeetTest, FileOfAnEarlierRun) {
  Rendezvous old;
  old.ranks = 2;
  old.address = {"127.0.0.1", freePort()};
  writeFile(file("meet"), old.text());
  ASSERT_EQ(::chmod(file("meet").c_str(), 0600), 0);
  EXPECT_THAT(meetAll(
                  2,
                  [&](int rank) {
                    if (rank == 0)
                      std::this_thread::sleep_for(
                          std::chrono::milliseconds(300));
                    return byFile(rank, 2);
                  },
                  [](int) { return Variables(); }),
              Each(std::string()));
}

TEST_F(MeetTest, FilesThatAreNone) {
  auto failure = [&](int ranks = 2) {
    const Variables none;
    std::unique_ptr<Communicator> communicator;
    return meet(byFile(1, ranks, 200), environmentOf(none), communicator)
        .message();
  };
  const std::string where = "s: rendezvous file '" + file("meet") + "': ";
  EXPECT_THAT(failure(), HasSubstr(where + "No such file or directory; rank 0 "
                                           "writes it when it starts"));
  Rendezvous other;
  other.ranks = 3;
  other.address = {"127.0.0.1", freePort()};
  const std::string text = other.text();
  auto write = [&](const std::string &content) {
    writeFile(file("meet"), content);
    ASSERT_EQ(::chmod(file("meet").c_str(), 0600), 0);
  };
  write(text.substr(0, text.size() - 20));
  EXPECT_THAT(failure(),
              AllOf(StartsWith("rank 1 did not find the others in 0.2 s: "),
                    HasSubstr(where + "it is truncated: expected 'secret '")));
  write("something else\n");
  EXPECT_THAT(failure(), HasSubstr("expected 'muon-rendezvous 1', found "
                                   "'something else'"));
  write(text);
  EXPECT_THAT(failure(),
              HasSubstr(where + "it is for 3 ranks, this is one of 2"));
  EXPECT_THAT(failure(3), AllOf(HasSubstr("cannot reach rank 0 at 127.0.0.1:"),
                                HasSubstr("Connection refused")));
  ASSERT_EQ(::chmod(file("meet").c_str(), 0622), 0);
  EXPECT_THAT(failure(3), HasSubstr(where + "others may write it"));
}

TEST_F(MeetTest, DirectoryThatIsNotThere) {
  const Variables none;
  Meeting meeting = byFile(0, 2);
  meeting.file = file("no") + "/such/meet";
  std::unique_ptr<Communicator> communicator;
  EXPECT_THAT(meet(meeting, environmentOf(none), communicator).message(),
              AllOf(StartsWith("cannot write the rendezvous file '"),
                    HasSubstr("No such file or directory")));
}

TEST_F(MeetTest, ByTheEnvironment) {
  const std::string port = std::to_string(freePort());
  auto torchrun = [&](int rank) {
    return Variables{{"RANK", std::to_string(rank)},
                     {"WORLD_SIZE", "3"},
                     {"MASTER_ADDR", "127.0.0.1"},
                     {"MASTER_PORT", std::to_string(std::stoi(port) - 1)},
                     {"TORCHELASTIC_RUN_ID", "r"}};
  };
  auto srun = [&](int rank) {
    return Variables{{"SLURM_PROCID", std::to_string(rank)},
                     {"SLURM_NTASKS", "3"},
                     {"SLURM_STEP_NODELIST", "localhost,other[1-3]"},
                     {"SLURM_JOB_ID", "77"},
                     {"NCCL_SOCKET_IFNAME", "lo"},
                     {"MUON_PORT", port}};
  };
  for (const std::function<Variables(int)> &variables :
       {std::function<Variables(int)>(torchrun), {srun}}) {
    auto meeting = [&](int rank) {
      const Variables mine = variables(rank);
      Meeting result;
      EXPECT_FALSE(findLaunch(environmentOf(mine), result.launch));
      result.timeout = std::chrono::seconds(20);
      return result;
    };
    EXPECT_THAT(meetAll(3, meeting, variables), Each(std::string()));
  }
}

TEST_F(MeetTest, JobsAreKeptApart) {
  const uint16_t port = freePort();
  auto variables = [&](int rank) {
    return Variables{{"RANK", std::to_string(rank)},
                     {"WORLD_SIZE", "2"},
                     {"MASTER_ADDR", "127.0.0.1"},
                     {"MUON_PORT", std::to_string(port)},
                     {"MUON_RENDEZVOUS_SECRET", rank ? "a" : "b"}};
  };
  auto meeting = [&](int rank) {
    const Variables mine = variables(rank);
    Meeting result;
    EXPECT_FALSE(findLaunch(environmentOf(mine), result.launch));
    result.timeout = std::chrono::milliseconds(300);
    return result;
  };
  std::vector<std::string> messages = meetAll(2, meeting, variables);
  EXPECT_THAT(messages[1], HasSubstr("is of another job: it has another "
                                     "secret"));
}

TEST_F(MeetTest, WhatTheEnvironmentLacks) {
  auto failure = [&](Variables variables, int milliseconds = 200) {
    Meeting meeting;
    EXPECT_FALSE(findLaunch(environmentOf(variables), meeting.launch));
    meeting.timeout = std::chrono::milliseconds(milliseconds);
    std::unique_ptr<Communicator> communicator;
    return meet(meeting, environmentOf(variables), communicator).message();
  };
  EXPECT_THAT(failure({}),
              AllOf(StartsWith("nothing says which rank this is: looked for "),
                    HasSubstr("RANK (torchrun)"),
                    HasSubstr("OMPI_COMM_WORLD_RANK (mpirun)"),
                    HasSubstr("SLURM_PROCID (srun)")));
  Variables torchrun = {{"RANK", "1"}, {"WORLD_SIZE", "2"}};
  EXPECT_EQ(failure(torchrun),
            "no host to meet the other ranks at: looked for the environment "
            "variable MASTER_ADDR; or give a rendezvous file");
  Variables srun = {{"SLURM_PROCID", "1"}, {"SLURM_NTASKS", "2"}};
  EXPECT_THAT(failure(srun), HasSubstr("MASTER_ADDR, SLURM_STEP_NODELIST and "
                                       "SLURM_JOB_NODELIST"));
  torchrun["MASTER_ADDR"] = "127.0.0.1";
  EXPECT_THAT(failure(torchrun),
              StartsWith("no port to meet the other ranks "
                         "at: looked for the environment "
                         "variables MUON_PORT, MASTER_PORT"));
  torchrun["MASTER_PORT"] = "65535";
  EXPECT_EQ(failure(torchrun), "environment variable MASTER_PORT is '65535', "
                               "expected a number from 1 to 65534");
  const std::string port = std::to_string(freePort());
  torchrun["MUON_PORT"] = port;
  EXPECT_THAT(failure(torchrun),
              AllOf(StartsWith("rank 1 did not find the others in 0.2 s: "
                               "cannot reach rank 0 at 127.0.0.1:" +
                               port),
                    HasSubstr("Connection refused")));
  torchrun["MASTER_ADDR"] = "no-such-host.invalid";
  EXPECT_THAT(failure(torchrun), HasSubstr("cannot look up host "
                                           "'no-such-host.invalid'"));
  // Of rank 0.
  torchrun["RANK"] = "0";
  torchrun["MASTER_ADDR"] = "192.0.2.1";
  EXPECT_THAT(failure(torchrun),
              AllOf(StartsWith("cannot listen on 192.0.2.1:" + port +
                               ": Cannot assign requested address on this "
                               "machine"),
                    HasSubstr("NCCL_SOCKET_IFNAME")));
  torchrun["MASTER_ADDR"] = "127.0.0.1";
  torchrun["LOCAL_WORLD_SIZE"] = "1";
  EXPECT_THAT(failure(torchrun),
              HasSubstr("which ranks on other machines cannot reach"));
  torchrun["NCCL_SOCKET_IFNAME"] = "nothing";
  EXPECT_THAT(failure(torchrun), StartsWith("NCCL_SOCKET_IFNAME is 'nothing'"));
}
