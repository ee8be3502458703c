//===- NcclLibraryTest.cpp - Tests of loading NCCL ------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NcclTest.h"

#include <cstdlib>

using namespace muon;
using namespace muon::nccl;
using namespace muon::test;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

namespace {

std::string failureOf(const std::string &path) {
  std::shared_ptr<const Library> library;
  Error error = Library::load(path, library);
  EXPECT_TRUE(error);
  EXPECT_EQ(error.status(), MUON_ERROR_UNSUPPORTED);
  EXPECT_FALSE(library);
  return error.message();
}

} // namespace

TEST(NcclVersionTest, Text) {
  EXPECT_EQ(versionText(2803), "2.8.3");
  EXPECT_EQ(versionText(2708), "2.7.8");
  EXPECT_EQ(versionText(20901), "2.9.1");
  EXPECT_EQ(versionText(21801), "2.18.1");
  EXPECT_EQ(versionText(23007), "2.30.7");
}

TEST_F(NcclTest, LoadsTheLibrary) {
  EXPECT_EQ(library->version, 22105);
  EXPECT_EQ(library->path, FAKE_NCCL);
  EXPECT_TRUE(library->movesHostMemory);
}

TEST_F(NcclTest, LibraryOfTheEnvironment) {
  ASSERT_EQ(::setenv("MUON_NCCL_LIBRARY", FAKE_NCCL, 1), 0);
  std::shared_ptr<const Library> found;
  Error error = Library::load("", found);
  EXPECT_FALSE(error) << error.message();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->path, FAKE_NCCL);

  ASSERT_EQ(::setenv("MUON_NCCL_LIBRARY", "/no/such/libnccl.so", 1), 0);
  EXPECT_THAT(failureOf(""),
              AllOf(StartsWith("no NCCL: cannot load /no/such/libnccl.so, "
                               "which MUON_NCCL_LIBRARY names: "),
                    Not(HasSubstr("dynamic linker looks"))));
  // Empty is as if it were not there.
  ASSERT_EQ(::setenv("MUON_NCCL_LIBRARY", "", 1), 0);
  if (Error other = Library::load("", found))
    EXPECT_THAT(other.message(),
                AllOf(StartsWith("no NCCL: cannot load libnccl.so.2: "),
                      HasSubstr("LD_LIBRARY_PATH"),
                      HasSubstr("MUON_NCCL_LIBRARY may name another file")));
  ::unsetenv("MUON_NCCL_LIBRARY");
}

TEST_F(NcclTest, NoLibrary) {
  EXPECT_THAT(failureOf("/no/such/libnccl.so"),
              AllOf(StartsWith("no NCCL: cannot load /no/such/libnccl.so: "),
                    HasSubstr("No such file")));
  // A library, but not this one.
  EXPECT_THAT(failureOf("libdl.so.2"),
              AllOf(StartsWith("NCCL is too old: expected 2.18.1 or later, "
                               "libdl.so.2 does not tell its version"),
                    HasSubstr("has no ncclCommSplit")));
}

TEST_F(NcclTest, OldLibrary) {
  EXPECT_EQ(failureOf(OLD_NCCL),
            "NCCL is too old: expected 2.18.1 or later, " OLD_NCCL
            " is 2.14.3 and has no ncclCommSplit, which came with 2.18.1");
  // All functions are there, but the number is what counts too.
  reset("version=21707");
  EXPECT_EQ(failureOf(FAKE_NCCL),
            "NCCL is too old: expected 2.18.1 or later, " FAKE_NCCL
            " is 2.17.7");
  reset("version=21801");
  std::shared_ptr<const Library> found;
  EXPECT_FALSE(Library::load(FAKE_NCCL, found));
}

TEST_F(NcclTest, ErrorsHaveTheirFunction) {
  EXPECT_FALSE(library->check(Success, "ncclReduce"));
  EXPECT_FALSE(library->check(InProgress, "ncclReduce"));
  EXPECT_EQ(library->check(RemoteError, "ncclReduce").message(),
            "ncclReduce failed: ncclRemoteError (6): fake: remote process "
            "exited or there was a network error");
  EXPECT_EQ(library->check(Result(77), "ncclReduce").message(),
            "ncclReduce failed: unknown error (77): fake: unknown");
}
