//===- SupportTest.cpp - What the tools share -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Tools/Support.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <gtest/gtest.h>
#include <sys/resource.h>

using namespace llvm;
using namespace mlir::muon;

namespace {

std::string nest(unsigned depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

std::string message(Error error) { return toString(std::move(error)); }

TEST(CheckNesting, TakesUpToTheLimit) {
  EXPECT_EQ(message(checkNesting(nest(Limits().nestingDepth))), "");
  EXPECT_EQ(message(checkNesting("\n\n" + nest(Limits().nestingDepth + 1))),
            "line 3: expected at most 256 nested brackets, found more");
}

TEST(CheckNesting, BracketsSideBySideAreNotNested) {
  std::string text;
  for (int i = 0; i < 1000; ++i)
    text += "(<[{}]>)";
  EXPECT_EQ(message(checkNesting(text)), "");
}

TEST(CheckNesting, StringsAndCommentsDoNotCount) {
  std::string open(1000, '{');
  EXPECT_EQ(message(checkNesting("\"" + open + "\\\"" + open + "\"")), "");
  EXPECT_EQ(message(checkNesting("// " + open + "\n// " + open)), "");
}

TEST(CheckNesting, ArrowsAndComparisonsCloseNothing) {
  std::string arrows, comparisons;
  for (unsigned i = 0; i <= Limits().nestingDepth; ++i) {
    arrows += "{ -> ";
    comparisons += "{ d0 >= 0 ";
  }
  EXPECT_NE(message(checkNesting(arrows)), "");
  EXPECT_NE(message(checkNesting(comparisons)), "");
}

TEST(CheckNesting, SignsInARowNest) {
  EXPECT_NE(message(checkNesting(std::string(Limits().nestingDepth + 2, '-'))),
            "");
  EXPECT_EQ(message(checkNesting("- 1 - 2 - 3 -> 4")), "");
}

class ReplaceFile : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_FALSE(sys::fs::createUniqueDirectory("muon-support", folder));
    sys::path::append(path = folder, "out%put");
  }
  void TearDown() override { sys::fs::remove_directories(folder); }

  static Error put(StringRef name, StringRef text) {
    std::error_code error;
    raw_fd_ostream os(name, error);
    os << text;
    return errorCodeToError(error);
  }
  std::string read() {
    auto buffer = MemoryBuffer::getFile(path);
    return buffer ? (*buffer)->getBuffer().str() : "(no file)";
  }
  unsigned countFiles() {
    unsigned count = 0;
    std::error_code error;
    for (sys::fs::directory_iterator it(folder, error), end; it != end;
         it.increment(error))
      ++count;
    return count;
  }

  SmallString<128> folder, path;
};

TEST_F(ReplaceFile, SuccessReplaces) {
  ASSERT_FALSE(errorToBool(put(path, "old")));
  EXPECT_EQ(message(replaceFile(
                path, [](StringRef name) { return put(name, "new"); })),
            "");
  EXPECT_EQ(read(), "new");
  EXPECT_EQ(countFiles(), 1u);
}

TEST_F(ReplaceFile, FailureLeavesWhatWasThere) {
  ASSERT_FALSE(errorToBool(put(path, "old")));
  EXPECT_EQ(message(replaceFile(path,
                                [](StringRef name) {
                                  consumeError(put(name, "half"));
                                  return createStringError("no");
                                })),
            "no");
  EXPECT_EQ(read(), "old");
  EXPECT_EQ(countFiles(), 1u);
}

TEST_F(ReplaceFile, LinksAreFollowed) {
  ASSERT_FALSE(errorToBool(put(path, "old")));
  SmallString<128> link = folder;
  sys::path::append(link, "link");
  ASSERT_FALSE(sys::fs::create_link(path, link));
  EXPECT_EQ(message(replaceFile(
                link, [](StringRef name) { return put(name, "new"); })),
            "");
  EXPECT_EQ(read(), "new");
  EXPECT_TRUE(sys::fs::is_symlink_file(link));
}

TEST_F(ReplaceFile, NotAFile) {
  std::string text = message(
      replaceFile(folder, [](StringRef name) { return put(name, "new"); }));
  EXPECT_NE(text.find("not a regular file"), std::string::npos) << text;
}

/// Sets a limit of the process, and back.
class SizeLimit {
public:
  explicit SizeLimit(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before);
    rlimit limit = before;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SizeLimit() { setrlimit(RLIMIT_FSIZE, &before); }

private:
  rlimit before;
};

TEST_F(ReplaceFile, TooLargeAFileIsAnError) {
  ASSERT_FALSE(errorToBool(put(path, "old")));
  std::string text;
  {
    SizeLimit limit(4096);
    text = message(writeFile(
        path, [](raw_ostream &os) { os << std::string(100000, 'x'); }));
  }
  EXPECT_NE(text.find("cannot write"), std::string::npos) << text;
  EXPECT_NE(text.find("File too large"), std::string::npos) << text;
  EXPECT_EQ(read(), "old");
  EXPECT_EQ(countFiles(), 1u);
}

class ReadInput : public ReplaceFile {};

TEST_F(ReadInput, ReadsAllOfIt) {
  std::string text(3000000, 'x');
  ASSERT_FALSE(errorToBool(put(path, text)));
  auto buffer = readInput(path, text.size());
  ASSERT_TRUE(static_cast<bool>(buffer));
  EXPECT_EQ((*buffer)->getBuffer(), text);
  EXPECT_EQ((*buffer)->getBufferIdentifier(), path);
  // Parsers look at the byte behind the last one.
  EXPECT_EQ(*(*buffer)->getBufferEnd(), '\0');
}

TEST_F(ReadInput, OneByteTooMany) {
  ASSERT_FALSE(errorToBool(put(path, "12345")));
  auto buffer = readInput(path, 4);
  ASSERT_FALSE(static_cast<bool>(buffer));
  std::string text = message(buffer.takeError());
  EXPECT_NE(text.find("expected at most 4 bytes, found more"),
            std::string::npos)
      << text;
}

TEST_F(ReadInput, NotAFile) {
  auto buffer = readInput(folder);
  ASSERT_FALSE(static_cast<bool>(buffer));
  EXPECT_NE(message(buffer.takeError()).find("Is a directory"),
            std::string::npos);
}

TEST(RunWithLargeStack, ReturnsTheExitCode) {
  EXPECT_EQ(runWithLargeStack([] { return 7; }), 7);
}

} // namespace
