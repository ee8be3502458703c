//===- SafetensorsTest.cpp - Safetensors files ----------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Runtime/Safetensors.h"

#include "TestArtifact.h"
#include "TestRename.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace muon;
using testing::HasSubstr;

namespace {

class SafetensorsTest : public testing::Test {
protected:
  static std::string image(const std::string &header, const std::string &data) {
    std::string result;
    for (int i = 0; i < 8; ++i)
      result += char(uint64_t(header.size()) >> (8 * i));
    return result + header + data;
  }

  std::unique_ptr<SafetensorsFile>
  open(const std::string &content,
       SafetensorsFile::Mode mode = SafetensorsFile::Mode::Data) {
    writeFile(path, content);
    error.clear();
    auto file = SafetensorsFile::open(path, error, mode);
    EXPECT_EQ(file == nullptr, !error.empty()) << error;
    return file;
  }

  /// Expects a message about this header, with `bytes` bytes of data.
  void expectBad(const std::string &header, const std::string &message,
                 size_t bytes = 0) {
    EXPECT_EQ(open(image(header, std::string(bytes, 'x'))), nullptr) << header;
    EXPECT_THAT(error, HasSubstr(message));
    EXPECT_THAT(error, HasSubstr(path));
    // Whatever a file contains, it does not flood the terminal.
    EXPECT_LT(error.size(), path.size() + 1000);
  }

  TemporaryDirectory directory;
  std::string path = directory.file("x.safetensors");
  std::string error;
};

} // namespace

TEST_F(SafetensorsTest, Reads) {
  auto file =
      open(image(R"({"b":{"dtype":"F32","shape":[1,2],"data_offsets":[3,11]},)"
                 R"("__metadata__":{"format":"pt","note":"\u00e4"},)"
                 R"("z":{"shape":[0,5],"data_offsets":[3,3],"dtype":"BF16"},)"
                 R"("a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}, )"
                 R"("s":{"dtype":"I64","shape":[],"data_offsets":[11,19]}}   )",
                 "abcABCDefgh12345678"));
  ASSERT_NE(file, nullptr) << error;
  ASSERT_EQ(file->tensors().size(), 4u);
  const char *names[] = {"a", "z", "b", "s"};
  for (size_t i = 0; i < 4; ++i)
    EXPECT_EQ(file->tensors()[i].name, names[i]);
  EXPECT_EQ(file->metadata().size(), 2u);
  EXPECT_EQ(file->metadata().at("note"), "\u00e4");

  const TensorInfo *b = file->find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->dtype, DType::F32);
  EXPECT_EQ(b->shape, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(b->bytes(), 8u);
  EXPECT_EQ(std::memcmp(file->data(*b), "ABCDefgh", 8), 0);
  EXPECT_EQ(file->find("c"), nullptr);
  EXPECT_EQ(file->find(""), nullptr);
}

TEST_F(SafetensorsTest, ReadsHeaderOnly) {
  const std::string header =
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  auto file = open(image(header, "12345678"), SafetensorsFile::Mode::Header);
  ASSERT_NE(file, nullptr) << error;
  EXPECT_EQ(file->data(file->tensors()[0]), nullptr);

  EXPECT_EQ(open(image(header, ""), SafetensorsFile::Mode::Header), nullptr);
  file = open(image(header, ""), SafetensorsFile::Mode::HeaderWithoutData);
  ASSERT_NE(file, nullptr) << error;
  EXPECT_EQ(file->tensors()[0].bytes(), 8u);
}

TEST_F(SafetensorsTest, ReadsEmpty) {
  auto file = open(image("{}", ""));
  ASSERT_NE(file, nullptr) << error;
  EXPECT_TRUE(file->tensors().empty());
  expectBad("{}", "the file has 1 bytes of data", 1);
}

TEST_F(SafetensorsTest, TypesBelowAByte) {
  auto file =
      open(image(R"({"a":{"dtype":"F4","shape":[3,2],"data_offsets":[0,3]},)"
                 R"("b":{"dtype":"F6_E2M3","shape":[4],"data_offsets":[3,6]}})",
                 "abcdef"));
  EXPECT_NE(file, nullptr) << error;
  expectBad(R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}})",
            "not a whole number of bytes", 1);
}

TEST_F(SafetensorsTest, BadFiles) {
  EXPECT_EQ(SafetensorsFile::open(directory.file("none"), error), nullptr);
  EXPECT_THAT(error, HasSubstr("No such file"));
  EXPECT_EQ(SafetensorsFile::open(directory.path, error), nullptr);
  EXPECT_THAT(error, HasSubstr("not a regular file"));
  ASSERT_EQ(::mkfifo(directory.file("pipe").c_str(), 0600), 0);
  EXPECT_EQ(SafetensorsFile::open(directory.file("pipe"), error), nullptr);
  EXPECT_THAT(error, HasSubstr("not a regular file"));

  EXPECT_EQ(open(""), nullptr);
  EXPECT_THAT(error, HasSubstr("file has 0 bytes"));
  EXPECT_EQ(open("1234567"), nullptr);
  EXPECT_THAT(error, HasSubstr("file has 7 bytes"));
  EXPECT_EQ(open(std::string("\x10\0\0\0\0\0\0\0{}", 10)), nullptr);
  EXPECT_THAT(error, HasSubstr("header length is 16, but only 2 bytes"));
  EXPECT_EQ(open(std::string("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10)),
            nullptr);
  EXPECT_THAT(error, HasSubstr("at most 100000000"));
  EXPECT_EQ(open(std::string(8, '\0')), nullptr);
  EXPECT_THAT(error, HasSubstr("does not begin with '{'"));
}

TEST_F(SafetensorsTest, BadJson) {
  expectBad("[]", "does not begin with '{'");
  expectBad(" {}", "does not begin with '{'");
  expectBad("{", "not valid JSON at byte");
  expectBad("{}x", "not valid JSON at byte");
  expectBad("{\"a\"", "not valid JSON");
  expectBad("{\"\xff\":1}", "not valid JSON");
  expectBad("{\"a\":{\"dtype\":\"F32\",\"shape\":[1e999]", "not valid JSON");
  expectBad("{\"" + std::string(100000, 'a'), "not valid JSON");
  expectBad("{\"a\":" + std::string(100000, '['), "expected an object");
  expectBad("{\"a\":{\"shape\":" + std::string(100000, '['),
            "expected integers");
  std::string deep;
  for (int i = 0; i < 100000; ++i)
    deep += "{\"a\":";
  expectBad(deep, "unknown key 'a'");
}

TEST_F(SafetensorsTest, BadStructure) {
  expectBad(R"({"a":1})", "tensor 'a': expected an object, found a number");
  expectBad(R"({"a":null})", "found null");
  expectBad(R"({"a":[]})", "found an array");
  expectBad(R"({"a":{}})", "tensor 'a': dtype is missing");
  expectBad(R"({"a":{"dtype":"U8"}})", "shape is missing");
  expectBad(R"({"a":{"dtype":"U8","shape":[]}})", "data_offsets is missing");
  expectBad(R"({"a":{"dtype":"U8","dtype":"U8"}})",
            "key 'dtype' appears twice");
  expectBad(R"({"a":{"stride":1}})", "unknown key 'stride'");
  expectBad(R"({"a":{"dtype":"F31"}})", "unknown dtype 'F31'");
  expectBad(R"({"a":{"dtype":"f32"}})", "unknown dtype 'f32'");
  expectBad(R"({"a":{"dtype":32}})", "expected a string, found a number");
  expectBad(R"({"a":{"dtype":["F32"]}})", "expected a string");
  expectBad(R"({"a":{"shape":4}})", "expected an array, found a number");
  expectBad(R"({"a":{"shape":[[4]]}})", "expected integers, found an array");
  expectBad(R"({"a":{"shape":["4"]}})", "expected integers, found a string");
  expectBad(R"({"a":{"shape":[true]}})", "expected integers, found a boolean");
  expectBad(R"({"a":{"data_offsets":{}}})", "expected an array");
  expectBad(R"({"a":{"data_offsets":[1]}})", "expected 2 numbers, found 1");
  expectBad(R"({"a":{"data_offsets":[1,2,3]}})", "expected 2 numbers");
  expectBad(R"({"a":{"data_offsets":[-1,2]}})", "found -1");
  expectBad(R"({"a":{"data_offsets":[0.0,2]}})", "found '0.0'");
  expectBad("{\"bad\\nname\":1}", "tensor 'bad\\x0aname'");
}

TEST_F(SafetensorsTest, BadMetadata) {
  expectBad(R"({"__metadata__":1})", "__metadata__: expected an object");
  expectBad(R"({"__metadata__":{"a":1}})",
            "the value of 'a' must be a string, found a number");
  expectBad(R"({"__metadata__":{"a":{}}})", "must be a string");
  expectBad(R"({"__metadata__":{"a":null}})", "must be a string");
  expectBad(R"({"__metadata__":{"a":"x","a":"y"}})", "key 'a' appears twice");
  expectBad(R"({"__metadata__":{},"__metadata__":{}})",
            "'__metadata__' appears twice");
}

TEST_F(SafetensorsTest, BadShapes) {
  auto withShape = [](const std::string &shape) {
    return "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4],\"shape\":[" +
           shape + "]}}";
  };
  expectBad(withShape("-1"), "found -1 for dimension 0", 4);
  expectBad(withShape("1,-0"), "for dimension 1", 4);
  expectBad(withShape("1.0"), "found '1.0'", 4);
  expectBad(withShape("9223372036854775808"), "found 9223372036854775808", 4);
  expectBad(withShape("99999999999999999999999"), "shape", 4);
  expectBad(withShape("4294967296,4294967296"), "overflows", 4);
  expectBad(withShape("4611686018427387904"), "overflows", 4);
  expectBad(withShape("2"), "span 4 bytes, expected 8 for F32 [2]", 4);
  expectBad(withShape("0"), "span 4 bytes, expected 0", 4);
  // A zero does not excuse the rest, nor does its place matter.
  expectBad(withShape("0,4611686018427387904,8"), "expected 0", 4);
  expectBad(withShape("4611686018427387904,8,0"), "expected 0", 4);
  std::string ones = "1";
  for (int i = 1; i < 64; ++i)
    ones += ",1";
  EXPECT_NE(open(image(withShape(ones), "1234")), nullptr) << error;
  expectBad(withShape(ones + ",1"), "more than 64 dimensions", 4);
}

TEST_F(SafetensorsTest, BadOffsets) {
  auto two = [](int aBegin, int aEnd, int bBegin, int bEnd) {
    auto entry = [](const char *name, int begin, int end) {
      return std::string("\"") + name + "\":{\"dtype\":\"U8\",\"shape\":[" +
             std::to_string(std::max(end - begin, 0)) + "],\"data_offsets\":[" +
             std::to_string(begin) + "," + std::to_string(end) + "]}";
    };
    return "{" + entry("a", aBegin, aEnd) + "," + entry("b", bBegin, bEnd) +
           "}";
  };
  EXPECT_NE(open(image(two(4, 8, 0, 4), "12345678")), nullptr) << error;
  expectBad(two(4, 0, 4, 8), "[4, 0] are reversed", 8);
  expectBad(two(0, 4, 4, 9), "out of the file, which has 8 bytes", 8);
  expectBad(two(0, 5, 4, 8), "tensors overlap", 8);
  expectBad(two(0, 8, 2, 4), "tensors overlap", 8);
  expectBad(two(0, 4, 0, 4), "tensors overlap", 4);
  expectBad(two(0, 3, 4, 8), "a hole in the data", 8);
  expectBad(two(1, 4, 4, 8), "expected 0, the first byte (a hole", 8);
  expectBad(two(0, 4, 4, 7), "end at 7, but the file has 8", 8);
}

TEST_F(SafetensorsTest, DuplicateNames) {
  expectBad(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
            R"("b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},)"
            R"("a":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})",
            "tensor 'a' appears twice", 3);
  // The same name, spelled in another way.
  expectBad(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
            R"("\u0061":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
            "tensor 'a' appears twice", 2);
}

TEST_F(SafetensorsTest, EveryTruncationAndFlipIsHandled) {
  const std::string good =
      image(R"({"__metadata__":{"k":"v"},)"
            R"("a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},)"
            R"("b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}})",
            "0123456789a");
  ASSERT_NE(open(good), nullptr) << error;
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_EQ(open(good.substr(0, size)), nullptr) << size;
  for (size_t i = 0; i < good.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = good;
      flipped[i] = char(flipped[i] ^ 1 << bit);
      auto file = open(flipped);
      if (!file)
        continue;
      // What is accepted has all of its data.
      unsigned sum = 0;
      for (const TensorInfo &info : file->tensors())
        for (uint64_t k = 0; k < info.bytes(); ++k)
          sum += static_cast<const unsigned char *>(file->data(info))[k];
      EXPECT_GT(sum, 0u);
    }
  }
}

TEST_F(SafetensorsTest, ManyTensors) {
  std::vector<TensorToWrite> tensors;
  const uint16_t value = 7;
  const size_t count = 70000;
  for (size_t i = 0; i < count; ++i)
    tensors.push_back({"model.layers." + std::to_string(i) + ".mlp.experts." +
                           std::string(60, 'x') + ".weight",
                       DType::BF16,
                       {1, 1},
                       &value});
  ASSERT_TRUE(writeSafetensors(path, tensors, {}, error)) << error;
  ASSERT_GT(std::filesystem::file_size(path), 10'000'000u);
  auto start = std::chrono::steady_clock::now();
  auto file = SafetensorsFile::open(path, error);
  std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  ASSERT_NE(file, nullptr) << error;
  ASSERT_EQ(file->tensors().size(), count);
  for (size_t i = 0; i < count; ++i)
    ASSERT_EQ(file->tensors()[i].name, tensors[i].name);
  EXPECT_EQ(file->find(tensors[4711].name), &file->tensors()[4711]);
  // Far above what it takes, even with sanitizers, and far below what anything
  // quadratic would.
  EXPECT_LT(time.count(), 5.0);
  RecordProperty("milliseconds", int(time.count() * 1000));
}

TEST_F(SafetensorsTest, RoundTrip) {
  const uint8_t bytes[] = {1, 2, 3};
  const double wide[] = {1.5, -2.5};
  const float narrow[] = {3};
  const int64_t step = 9;
  SafetensorsMetadata metadata = {{"format", "pt"}, {"quote\"", "line\n"}};
  std::vector<TensorToWrite> tensors = {
      {"b\"ytes\\", DType::U8, {3}, bytes},
      {"\u00fcber", DType::F64, {2, 1}, wide},
      {"empty", DType::F32, {0, 7}, nullptr},
      {"x", DType::F32, {1}, narrow},
      {"step", DType::I64, {}, &step},
  };
  ASSERT_TRUE(writeSafetensors(path, tensors, metadata, error)) << error;
  auto file = SafetensorsFile::open(path, error);
  ASSERT_NE(file, nullptr) << error;
  EXPECT_EQ(file->metadata(), metadata);
  ASSERT_EQ(file->tensors().size(), tensors.size());
  for (const TensorToWrite &tensor : tensors) {
    const TensorInfo *info = file->find(tensor.name);
    ASSERT_NE(info, nullptr) << tensor.name;
    EXPECT_EQ(info->dtype, tensor.dtype);
    EXPECT_EQ(info->shape, tensor.shape);
    if (info->bytes()) {
      EXPECT_EQ(
          std::memcmp(file->data(*info), tensor.data, size_t(info->bytes())),
          0);
    }
    EXPECT_EQ(reinterpret_cast<uintptr_t>(file->data(*info)) %
                  (dtypeBits(info->dtype) / 8),
              0u);
  }
  EXPECT_EQ(directory.size(), 1u);
}

TEST_F(SafetensorsTest, ReadsWithoutKeepingTheFileInMemory) {
  // Bytes of files that are mapped and resident.
  auto resident = [] {
    std::ifstream file("/proc/self/statm");
    uint64_t total = 0, all = 0, shared = 0;
    file >> total >> all >> shared;
    return shared * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  };
  constexpr uint64_t large = (40 << 20) + 13;
  std::vector<uint8_t> small = {1, 2, 3}, data(large);
  for (size_t i = 0; i < large; ++i)
    data[i] = uint8_t(i * 2654435761u >> 24);
  ASSERT_TRUE(writeSafetensors(path,
                               {{"a", DType::U8, {3}, small.data()},
                                {"b", DType::U8, {large}, data.data()},
                                {"c", DType::U8, {3}, small.data()}},
                               {}, error))
      << error;
  auto file = SafetensorsFile::open(path, error);
  ASSERT_NE(file, nullptr) << error;
  std::vector<uint8_t> found(large), edge(3);
  uint64_t before = resident();
  file->read(*file->find("b"), found.data());
  EXPECT_LT(resident(), before + (20 << 20));
  EXPECT_TRUE(found == data);
  for (const char *name : {"a", "c"}) {
    file->read(*file->find(name), edge.data());
    EXPECT_EQ(edge, small);
  }
  // What was dropped can still be looked at.
  EXPECT_EQ(std::memcmp(file->data(*file->find("b")), data.data(), large), 0);
}

TEST_F(SafetensorsTest, RefusesToWrite) {
  const float x[] = {1};
  writeFile(path, "old");
  auto expectRefused = [&](const std::vector<TensorToWrite> &tensors,
                           const SafetensorsMetadata &metadata = {}) {
    error.clear();
    EXPECT_FALSE(writeSafetensors(path, tensors, metadata, error));
    EXPECT_THAT(error, HasSubstr(path));
    EXPECT_EQ(readFile(path), "old");
    EXPECT_EQ(directory.size(), 1u);
  };
  expectRefused({{"a", DType::F32, {1}, x}, {"a", DType::F32, {1}, x}});
  EXPECT_THAT(error, HasSubstr("'a' appears twice"));
  expectRefused({{"__metadata__", DType::F32, {1}, x}});
  expectRefused({{"a", DType::F32, {-1}, x}});
  expectRefused({{"a", DType::F32, {1}, nullptr}});
  expectRefused({{"a", DType::F32, {int64_t(1) << 62, 4}, x}});
  expectRefused({{"a", DType::F4, {1}, x}});
  expectRefused({{"\xff", DType::F32, {1}, x}});
  expectRefused({{"a", DType::F32, {1}, x}}, {{"k", "\xff"}});
  expectRefused({{"a", DType::F32, std::vector<int64_t>(65, int64_t(1)), x}});
}

TEST_F(SafetensorsTest, WriteFailureLeavesNothing) {
  const float x[] = {1};
  EXPECT_FALSE(writeSafetensors(directory.file("no/such/x"),
                                {{"a", DType::F32, {1}, x}}, {}, error));
  EXPECT_THAT(error, HasSubstr("No such file"));
  writeFile(path, "old");
  EXPECT_FALSE(
      writeSafetensors(path + "/x", {{"a", DType::F32, {1}, x}}, {}, error));
  EXPECT_THAT(error, HasSubstr("Not a directory"));
  EXPECT_FALSE(
      writeSafetensors(directory.path, {{"a", DType::F32, {1}, x}}, {}, error));
  EXPECT_THAT(error, HasSubstr("not a regular file"));
  EXPECT_FALSE(
      writeSafetensors("/dev/null", {{"a", DType::F32, {1}, x}}, {}, error));
  EXPECT_THAT(error, HasSubstr("not a regular file"));

  // A disk that is full in the middle of the file.
  std::vector<float> big(100000);
  struct rlimit limit, small;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  small = limit;
  small.rlim_cur = 50000;
  auto *handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  bool written = writeSafetensors(
      path, {{"a", DType::F32, {100000}, big.data()}}, {}, error);
  ::setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, handler);
  EXPECT_FALSE(written);
  EXPECT_THAT(error, HasSubstr("cannot write: File too large"));
  EXPECT_EQ(readFile(path), "old");
  EXPECT_EQ(directory.size(), 1u);
}

TEST_F(SafetensorsTest, ReplacesAtomically) {
  const float x[] = {1}, y[] = {2};
  ASSERT_TRUE(writeSafetensors(path, {{"a", DType::F32, {1}, x}}, {}, error));
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  std::string link = directory.file("link");
  ASSERT_EQ(::symlink("x.safetensors", link.c_str()), 0);
  auto before = SafetensorsFile::open(path, error);
  ASSERT_NE(before, nullptr);

  std::string old = readFile(path);
  auto staged = StagedFile::writeSafetensors(link, {{"a", DType::F32, {1}, y}},
                                             {}, error);
  ASSERT_TRUE(staged.has_value()) << error;
  EXPECT_EQ(readFile(path), old);
  ASSERT_TRUE(staged->commit(error)) << error;
  staged.reset();

  // The link stays one, the mode stays, and who reads the old file still can.
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  auto after = SafetensorsFile::open(path, error);
  ASSERT_NE(after, nullptr) << error;
  EXPECT_EQ(std::memcmp(after->data(after->tensors()[0]), y, 4), 0);
  EXPECT_EQ(std::memcmp(before->data(before->tensors()[0]), x, 4), 0);
  struct stat status;
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0640u);
  EXPECT_EQ(directory.size(), 2u);
}

TEST_F(SafetensorsTest, UncommittedIsRemoved) {
  const float x[] = {1};
  {
    auto staged = StagedFile::writeSafetensors(
        path, {{"a", DType::F32, {1}, x}}, {}, error);
    ASSERT_TRUE(staged.has_value()) << error;
    StagedFile moved = std::move(*staged);
    EXPECT_EQ(directory.size(), 1u);
  }
  EXPECT_EQ(directory.size(), 0u);
}

TEST_F(SafetensorsTest, CommitFailureKeepsDestination) {
  const float x[] = {1};
  auto staged = StagedFile::writeSafetensors(path, {{"a", DType::F32, {1}, x}},
                                             {}, error);
  ASSERT_TRUE(staged.has_value()) << error;
  std::filesystem::create_directories(path + "/sub");
  EXPECT_FALSE(staged->commit(error));
  EXPECT_THAT(error, HasSubstr("cannot replace"));
  staged.reset();
  EXPECT_TRUE(std::filesystem::is_directory(path + "/sub"));
  EXPECT_EQ(directory.size(), 1u);
}

TEST_F(SafetensorsTest, ExchangeIsForLaterToDecide) {
  auto exchanged = [&] {
    auto staged = StagedFile::writeText(path, "new", error);
    EXPECT_TRUE(staged && staged->exchange(error)) << error;
    EXPECT_EQ(readFile(path), "new");
    return staged;
  };
  // Of a file that was not there, and of one that was; with exchanged names,
  // and where the file system cannot.
  for (bool canExchange : {true, false}) {
    test::refusesExchange = !canExchange;
    EXPECT_TRUE(exchanged()->revert(error)) << error;
    EXPECT_EQ(directory.size(), 0u);
    writeFile(path, "old");
    EXPECT_TRUE(exchanged()->revert(error)) << error;
    EXPECT_EQ(readFile(path), "old");
    EXPECT_EQ(directory.size(), 1u);
    exchanged().reset();
    EXPECT_EQ(readFile(path), "new");
    EXPECT_EQ(directory.size(), 1u);
    std::filesystem::remove(path);
  }
  test::refusesExchange = false;

  // What cannot be put back is said to be where it is.
  writeFile(path, "old");
  {
    auto staged = exchanged();
    test::cannotBecome = path;
    EXPECT_FALSE(staged->revert(error));
    test::cannotBecome.clear();
    EXPECT_THAT(error, HasSubstr("cannot put back what was there before: "
                                 "Read-only file system; it is in "));
    const std::string old = error.substr(error.rfind(' ') + 1);
    EXPECT_EQ(readFile(old), "old");
  }
  EXPECT_EQ(directory.size(), 2u);
}

TEST_F(SafetensorsTest, ExchangeThatFails) {
  writeFile(path, "old");
  for (bool canExchange : {true, false}) {
    test::refusesExchange = !canExchange;
    auto staged = StagedFile::writeText(path, "new", error);
    ASSERT_TRUE(staged.has_value()) << error;
    test::cannotBecome = path;
    EXPECT_FALSE(staged->exchange(error));
    test::cannotBecome.clear();
    EXPECT_THAT(error, HasSubstr("cannot replace: Read-only file system"));
    EXPECT_EQ(readFile(path), "old");
    staged.reset();
    EXPECT_EQ(directory.size(), 1u);
  }
  test::refusesExchange = false;
  auto staged = StagedFile::writeText(path, "new", error);
  std::filesystem::remove(path);
  std::filesystem::create_directories(path + "/sub");
  EXPECT_FALSE(staged->exchange(error));
  EXPECT_THAT(error, HasSubstr("cannot replace: not a regular file"));
  staged.reset();
  EXPECT_TRUE(std::filesystem::is_directory(path + "/sub"));
}

TEST(DTypeTest, NamesRoundTrip) {
  for (int i = 0; i <= int(DType::U64); ++i) {
    auto dtype = static_cast<DType>(i);
    EXPECT_EQ(parseDType(dtypeName(dtype)), dtype);
  }
  EXPECT_EQ(parseDType(""), std::nullopt);
  EXPECT_EQ(dtypeBits(DType::BF16), 16u);
  EXPECT_EQ(dtypeBits(DType::Bool), 8u);
  EXPECT_EQ(tensorBytes(DType::F32, {}), 4u);
  EXPECT_EQ(tensorBytes(DType::F32, {2, 3}), 24u);
}
