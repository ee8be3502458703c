//===- TcpTest.cpp - Tests of ranks that meet by TCP ----------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CollectiveEngine.h"
#include "Communicator/CommunicatorTest.h"
#include "Tcp/Bootstrap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

using namespace muon;
using namespace muon::tcp;
using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::StartsWith;

//===----------------------------------------------------------------------===//
// All that communicators do
//===----------------------------------------------------------------------===//

namespace {

class TcpWorld final : public World {
public:
  ~TcpWorld() override {
    // Ranks leave together.
    std::vector<std::thread> threads;
    for (auto &communicator : communicators)
      threads.emplace_back([&] { communicator.reset(); });
    for (std::thread &thread : threads)
      thread.join();
  }
  int32_t size() const override { return int32_t(communicators.size()); }
};

/// Links of all ranks, by one router.
std::vector<std::unique_ptr<collective::Link>> makeLinks(int32_t ranks) {
  Address address = {"127.0.0.1", 0};
  const Secret secret = {'s'};
  std::shared_ptr<Router> router;
  Error error = startRouter(address, ranks, secret, router);
  EXPECT_FALSE(error) << error.message();
  auto refresh = [&](Address &to, Secret &known) {
    to = address;
    known = secret;
    return Error::success();
  };
  std::vector<std::unique_ptr<collective::Link>> links;
  for (int32_t rank = 0; rank < ranks; ++rank) {
    links.emplace_back();
    error = connectLink(rank, ranks, refresh,
                        Clock::now() + std::chrono::seconds(10),
                        rank ? nullptr : router, links.back());
    EXPECT_FALSE(error) << error.message();
  }
  return links;
}

} // namespace

static std::unique_ptr<World> makeTcp(int32_t ranks) {
  auto world = std::make_unique<TcpWorld>();
  for (auto &link : makeLinks(ranks))
    world->communicators.push_back(
        std::make_unique<collective::Engine>(std::move(link)));
  return world;
}

INSTANTIATE_TEST_SUITE_P(
    , CommunicatorTest, testing::Values(CommunicatorKind{"Tcp", makeTcp}),
    [](const testing::TestParamInfo<CommunicatorKind> &info) {
      return std::string(info.param.name);
    });

//===----------------------------------------------------------------------===//
// The link
//===----------------------------------------------------------------------===//

TEST(TcpLinkTest, ARankThatHasGone) {
  auto links = makeLinks(3);
  std::vector<std::unique_ptr<Communicator>> communicators;
  for (int rank : {0, 1})
    communicators.push_back(
        std::make_unique<collective::Engine>(std::move(links[size_t(rank)])));
  std::vector<std::string> messages(2);
  std::vector<std::thread> threads;
  for (size_t rank : {0, 1})
    threads.emplace_back([&, rank] {
      communicators[rank]->setTimeout(std::chrono::seconds(30));
      std::vector<std::string> all;
      messages[rank] = communicators[rank]->exchange("x", all).message();
    });
  // Without a goodbye, as of a process that was killed.
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  static_cast<TcpLink &>(*links[2]).breakForTest();
  for (std::thread &thread : threads)
    thread.join();
  for (const std::string &message : messages)
    EXPECT_THAT(message,
                HasSubstr("rank 2 has gone: its connection has ended"));
  // Rank 0 would wait for the other one.
  communicators.pop_back();
}

TEST(TcpLinkTest, StrangersAreLeftOut) {
  Address address = {"127.0.0.1", 0};
  const Secret secret = {'s'};
  std::shared_ptr<Router> router;
  ASSERT_FALSE(startRouter(address, 1, secret, router));
  const auto end = Clock::now() + std::chrono::seconds(10);
  std::string reason;
  auto answerTo = [&](const void *data, size_t bytes) {
    Socket socket;
    EXPECT_TRUE(connectTo(address, end, socket, reason)) << reason;
    EXPECT_TRUE(sendAll(socket, data, bytes, end));
    Answer answer = {};
    return receiveAll(socket, &answer, sizeof(answer), end) ? int(answer) : 0;
  };
  const std::string garbage(sizeof(Hello), 'G');
  EXPECT_EQ(answerTo(garbage.data(), garbage.size()), 0);
  Hello hello;
  hello.ranks = 1;
  EXPECT_EQ(answerTo(&hello, sizeof(hello)), int(Answer::OtherSecret));
  hello.secret = secret;
  hello.ranks = 2;
  EXPECT_EQ(answerTo(&hello, sizeof(hello)), int(Answer::OtherSize));
  hello.ranks = 1;
  hello.rank = -1;
  EXPECT_EQ(answerTo(&hello, sizeof(hello)), int(Answer::OtherSize));
  // One that says nothing keeps nobody out.
  Socket silent;
  ASSERT_TRUE(connectTo(address, end, silent, reason));
  hello.rank = 0;
  Socket rank;
  ASSERT_TRUE(connectTo(address, end, rank, reason));
  ASSERT_TRUE(sendAll(rank, &hello, sizeof(hello), end));
  Answer answer = {};
  ASSERT_TRUE(receiveAll(rank, &answer, sizeof(answer), end));
  EXPECT_EQ(answer, Answer::Welcome);
  EXPECT_EQ(answerTo(&hello, sizeof(hello)), int(Answer::RankTaken));
}

TEST(TcpSocketTest, Addresses) {
  Address address;
  ASSERT_TRUE(parseAddress("10.0.0.1:42", address));
  EXPECT_EQ(address.host, "10.0.0.1");
  EXPECT_EQ(address.port, 42);
  EXPECT_EQ(address.text(), "10.0.0.1:42");
  ASSERT_TRUE(parseAddress("[fe80::1]:65535", address));
  EXPECT_EQ(address.host, "fe80::1");
  EXPECT_EQ(address.text(), "[fe80::1]:65535");
  for (const char *wrong : {"", ":1", "a", "a:", "a:0", "a:65536", "a:1x"})
    EXPECT_FALSE(parseAddress(wrong, address)) << wrong;
  EXPECT_TRUE(isLoopback("127.1.2.3"));
  EXPECT_TRUE(isLoopback("::1"));
  EXPECT_FALSE(isLoopback("10.0.0.1"));
}

TEST(TcpSocketTest, Interfaces) {
  std::string host;
  for (const char *rule : {"lo", "=lo", "l", "nothing,lo", "=nothing,lo"}) {
    host.clear();
    Error error = addressOfInterface(rule, host);
    EXPECT_FALSE(error) << error.message();
    EXPECT_TRUE(isLoopback(host)) << rule << ": " << host;
  }
  EXPECT_FALSE(addressOfInterface("", host));
  for (const char *rule : {"nothing", "=l", "^l,e,w,b,d,v,i,t"}) {
    Error error = addressOfInterface(rule, host);
    EXPECT_THAT(error.message(),
                AllOf(StartsWith("NCCL_SOCKET_IFNAME is '" + std::string(rule) +
                                 "', which selects no network interface that "
                                 "is up; there are: "),
                      HasSubstr("lo")));
  }
}
