//===- StepReportTest.cpp - Print a report -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Report/StepReport.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Unicode.h"
#include <gtest/gtest.h>

using namespace mlir::muon;
using llvm::SmallVector;
using llvm::StringRef;

namespace {

StepReport::Group makeMuon() {
  StepReport::Group group;
  group.optimizer = "muon";
  group.ruleGroup = "muon";
  group.members = {{"a.weight"}, {"b.weight"}, {"c.weight", 16, 32, 48}};
  group.shape = {16, 64};
  group.matrices = 3;
  group.parameters = 3 * 16 * 64;
  group.types = {{"weight", "bf16"}, {"gradient", "f32"}, {"momentum", "f32"}};
  StepReport::Iteration it;
  it.side = "left";
  it.compute = "f32";
  it.kind = "gram";
  it.why = "because";
  it.restarts = {2};
  it.steps = 5;
  it.flops = 1e6;
  it.denseFlops = 2.5e6;
  group.iteration = it;
  StepReport::Memory memory;
  memory.streams = {{"look", 100, 0}, {"momentum", 200, 300}};
  memory.scratchBytes = 4096;
  memory.passes = 2;
  memory.matricesPerPass = 2;
  group.memory = memory;
  return group;
}

StepReport::Group makeAdamW() {
  StepReport::Group group;
  group.optimizer = "adamw";
  group.ruleGroup = "rest";
  group.members = {{"bias"}};
  group.shape = {64};
  group.parameters = 64;
  group.types = {{"weight", "f32"}, {"exp_avg", "f16"}};
  StepReport::Memory memory;
  memory.streams = {{"update", 1000, 2000}};
  memory.passes = 1;
  group.memory = memory;
  return group;
}

std::string printText(const StepReport &report) {
  std::string text;
  llvm::raw_string_ostream os(text);
  printReportText(report, os);
  return text;
}

llvm::json::Object printJson(const StepReport &report) {
  std::string text;
  llvm::raw_string_ostream os(text);
  printReportJson(report, os);
  llvm::Expected<llvm::json::Value> value = llvm::json::parse(text);
  if (!value) {
    ADD_FAILURE() << llvm::toString(value.takeError());
    return {};
  }
  return std::move(*value->getAsObject());
}

/// The line of `text` that starts, after blanks, with `begin`; the last of
/// them.
std::string getLine(StringRef text, StringRef begin) {
  SmallVector<StringRef> lines;
  text.split(lines, '\n');
  StringRef found;
  for (StringRef line : lines)
    if (line.ltrim().starts_with(begin))
      found = line;
  return found.str();
}

/// Replaces runs of blanks by one.
std::string squeeze(StringRef line) {
  SmallVector<StringRef> words;
  line.split(words, ' ', -1, /*KeepEmpty=*/false);
  std::string text;
  for (StringRef word : words)
    text += (text.empty() ? "" : " ") + word.str();
  return text;
}

TEST(StepReportTest, JsonOfAGroup) {
  StepReport report;
  report.groups = {makeMuon()};
  llvm::json::Object object = printJson(report);
  EXPECT_EQ(object.getString("format"), "muon-report");
  EXPECT_EQ(object.getInteger("version"), 1);
  const llvm::json::Array *groups = object.getArray("groups");
  ASSERT_TRUE(groups && groups->size() == 1);
  const llvm::json::Object &group = *(*groups)[0].getAsObject();
  EXPECT_EQ(*group.get("members"),
            llvm::json::Value(
                llvm::json::Array{"a.weight", "b.weight",
                                  llvm::json::Object{{"tensor", "c.weight"},
                                                     {"begin", 16},
                                                     {"end", 32},
                                                     {"rows", 48}}}));
  EXPECT_EQ(*group.get("restarts"), llvm::json::Value(llvm::json::Array{2}));
  EXPECT_EQ(group.getInteger("flops"), 1000000);
  EXPECT_EQ(group.getInteger("bytes_read"), 300);
  EXPECT_EQ(group.getInteger("bytes_written"), 300);
  EXPECT_EQ(group.getInteger("matrices_per_pass"), 2);
}

TEST(StepReportTest, JsonTotals) {
  StepReport report;
  report.groups = {makeMuon(), makeMuon(), makeAdamW()};
  report.totals = {8192, 17};
  llvm::json::Object object = printJson(report);
  EXPECT_EQ(*object.get("totals"),
            llvm::json::Value(llvm::json::Object{{"members", 7},
                                                 {"matrices", 6},
                                                 {"parameters", 6208},
                                                 {"flops", 2000000},
                                                 {"dense_flops", 5000000},
                                                 {"bytes_read", 1600},
                                                 {"bytes_written", 2600},
                                                 {"scratch_bytes", 8192},
                                                 {"slots", 17}}));
}

TEST(StepReportTest, JsonLeavesOutWhatIsUnknown) {
  StepReport report;
  StepReport::Group group = makeMuon();
  group.iteration.reset();
  group.memory.reset();
  report.groups = {group};
  llvm::json::Object object = printJson(report);
  const llvm::json::Object &printed =
      *(*object.getArray("groups"))[0].getAsObject();
  for (StringRef key :
       {"side", "flops", "streams", "scratch_bytes", "matrices_per_pass"})
    EXPECT_FALSE(printed.get(key)) << key.str();
  const llvm::json::Object &totals = *object.getObject("totals");
  for (StringRef key : {"flops", "bytes_read", "scratch_bytes", "slots"})
    EXPECT_FALSE(totals.get(key)) << key.str();
}

TEST(StepReportTest, JsonOfLargeNumbers) {
  StepReport report;
  report.groups = {makeMuon()};
  // Whole in an i64, and beyond it.
  report.groups[0].iteration->flops = 0x1p60;
  report.groups[0].iteration->denseFlops = 0x1p70;
  llvm::json::Object object = printJson(report);
  const llvm::json::Object &group =
      *(*object.getArray("groups"))[0].getAsObject();
  EXPECT_EQ(group.getInteger("flops"), int64_t(1) << 60);
  EXPECT_EQ(group.getNumber("dense_flops"), 0x1p70);
}

TEST(StepReportTest, JsonOfNamesThatAreNotUtf8) {
  StepReport report;
  report.groups = {makeMuon()};
  report.groups[0].members = {{"\xff\"\n"}};
  llvm::json::Object object = printJson(report);
  const llvm::json::Object &group =
      *(*object.getArray("groups"))[0].getAsObject();
  EXPECT_EQ((*group.getArray("members"))[0].getAsString(), "\xef\xbf\xbd\"\n");
}

TEST(StepReportTest, TextOfAGroup) {
  StepReport report;
  report.groups = {makeMuon(), makeAdamW()};
  report.totals = {8192, 17};
  std::string text = printText(report);
  StringRef updates = StringRef(text).split("iterations").first;
  EXPECT_EQ(squeeze(getLine(updates, "1 ")),
            "1 muon muon 3 16x64 bf16 f32 f32 - a.weight, …");
  EXPECT_EQ(squeeze(getLine(updates, "2 ")),
            "2 adamw rest 1 64 f32 - f16 - bias");
  StringRef work = StringRef(text).split("work of one step").second;
  StringRef iterations =
      StringRef(text).split("iterations").second.split("work").first;
  EXPECT_EQ(squeeze(getLine(iterations, "1 ")), "1 left f32 gram 5 because");
  EXPECT_EQ(getLine(iterations, "2 "), "");
  EXPECT_EQ(squeeze(getLine(work, "1 ")),
            "1 3.07 K 1.00 M 2.50 M 300 B 300 B 0 B 4.00 KiB 2");
  EXPECT_EQ(squeeze(getLine(work, "all ")),
            "all 3.14 K 1.00 M 2.50 M 1.27 KiB 2.25 KiB 8.00 KiB");
}

TEST(StepReportTest, TextIsAligned) {
  StepReport report;
  report.groups = {makeMuon(), makeAdamW()};
  // A name whose bytes are more than its columns.
  report.groups[0].ruleGroup = "größe";
  StringRef updates = "";
  std::string text = printText(report);
  updates = StringRef(text).split("\n\n").first;
  SmallVector<StringRef> lines;
  updates.split(lines, '\n');
  ASSERT_EQ(lines.size(), 4u);
  auto column = [&](StringRef line, StringRef cell) {
    return llvm::sys::unicode::columnWidthUTF8(
        line.take_front(line.find(cell)));
  };
  int shape = column(lines[1], "shape");
  EXPECT_EQ(column(lines[2], "16x64"), shape);
  EXPECT_EQ(column(lines[3], "64 "), shape);
  EXPECT_EQ(column(lines[2], "a.weight"), column(lines[1], "names"));
  EXPECT_EQ(column(lines[3], "bias"), column(lines[1], "names"));
  for (StringRef line : lines)
    EXPECT_EQ(line, line.rtrim());
}

TEST(StepReportTest, TextOfRowBlocksAndStrangeNames) {
  StepReport report;
  report.groups = {makeAdamW(), makeAdamW(), makeAdamW()};
  report.groups[0].members = {{"qkv", 16, 32, 48}};
  report.groups[1].members = {{"a\nb\t"}};
  report.groups[2].members = {};
  std::string text = printText(report);
  StringRef updates = StringRef(text).split("\n\n").first;
  EXPECT_TRUE(StringRef(getLine(updates, "1 ")).ends_with("qkv[16:32]"));
  EXPECT_TRUE(StringRef(getLine(updates, "2 ")).ends_with("a\\x0Ab\\x09"));
  EXPECT_TRUE(StringRef(getLine(updates, "3 ")).ends_with(" -"));
}

TEST(StepReportTest, TextOfQuantities) {
  StepReport report;
  report.groups = {makeMuon()};
  auto print = [&](double flops, double bytes) {
    report.groups[0].iteration->flops = flops;
    report.groups[0].memory->streams = {{"look", bytes, 0}};
    std::string text = printText(report);
    std::string line = squeeze(
        getLine(StringRef(text).split("work of one step").second, "1 "));
    StringRef rest = line;
    rest.consume_front("1 3.07 K ");
    return rest.split(" 2.50 M ").first.str() + ", " +
           rest.split(" 2.50 M ").second.split(" 0 B").first.str();
  };
  EXPECT_EQ(print(0, 0), "0, 0 B");
  EXPECT_EQ(print(999, 1023), "999, 1023 B");
  EXPECT_EQ(print(1000, 1024), "1.00 K, 1.00 KiB");
  EXPECT_EQ(print(9999, 10239), "10.0 K, 10.0 KiB");
  EXPECT_EQ(print(99999, 102399), "100 K, 100 KiB");
  EXPECT_EQ(print(999999, 1048575), "1.00 M, 1.00 MiB");
  EXPECT_EQ(print(1.5e18, 0x1p50), "1.50 E, 1.00 PiB");
  EXPECT_EQ(print(1.5e22, 0x1p75), "15000 E, 32768 EiB");
}

StepReport::Device makeDevice() {
  StepReport::Kernel product;
  product.name = "product_1";
  product.phase = "product";
  product.arithmetic = "tf32";
  product.launches = 3;
  product.blocks = 700;
  product.threads = 128;
  product.sharedBytes = 49152;
  product.registers = 128;
  product.spilledBytes = 16;
  product.flops = 156e6;
  product.bytesRead = 1000;
  product.bytesWritten = 560;
  StepReport::Kernel stream;
  stream.name = "stream_0";
  stream.phase = "stream";
  stream.arithmetic = "none";
  stream.launches = 2;
  stream.blocks = 5;
  stream.threads = 256;
  stream.bytesRead = 2.039e9;
  return {"sm_80", findChip("A100"), 0, {stream, product}};
}

TEST(StepReportTest, TextOfKernels) {
  StepReport report;
  report.device = makeDevice();
  report.totals = {2048, 7};
  std::string text = printText(report);
  StringRef kernels = StringRef(text).split("kernels for sm_80\n").second;
  EXPECT_EQ(squeeze(getLine(kernels, "stream_0")),
            "stream_0 stream 2 5 256 0 B - - - 1.90 GiB 0 B - 1.00 ms");
  EXPECT_EQ(squeeze(getLine(kernels, "product_1")),
            "product_1 product 3 700 128 48.0 KiB 128 16 B 156 M 1000 B 560 B "
            "100 K 1.00 µs");
  EXPECT_NE(text.find("5 launches, scratch memory 2.00 KiB, limit none\n"),
            std::string::npos);
  EXPECT_NE(text.find("floors of A100, 1.00 ms in all: 312 TFLOP/s"),
            std::string::npos);
}

TEST(StepReportTest, TextOfKernelsWithoutChip) {
  StepReport report;
  report.device = makeDevice();
  report.device->chip.reset();
  report.device->scratchLimit = 4096;
  std::string text = printText(report);
  EXPECT_NE(text.find("scratch memory -, limit 4.00 KiB\n"), std::string::npos);
  EXPECT_EQ(text.find("floors"), std::string::npos);
}

TEST(StepReportTest, Chips) {
  EXPECT_FALSE(findChip("a100"));
  for (const Chip &chip : getChips()) {
    EXPECT_EQ(findChip(chip.name)->name, chip.name);
    EXPECT_LT(chip.f32, chip.tf32);
    EXPECT_LT(chip.tf32, chip.half);
  }
  EXPECT_STREQ(getChipOf("sm_80")->name, "A100");
  EXPECT_STREQ(getChipOf("sm_90a")->name, "H100");
  EXPECT_FALSE(getChipOf("sm_120"));
  EXPECT_FALSE(getChipOf("cpu"));
}

TEST(StepReportTest, FloorIsTheLongerOfWorkAndTraffic) {
  Chip chip{"x", 0, 1000, 100, 10, 1};
  StepReport::Kernel kernel;
  kernel.flops = 2000;
  kernel.bytesRead = 1;
  for (auto [arithmetic, seconds] : {std::pair<const char *, double>{"f16", 2},
                                     {"bf16", 2},
                                     {"tf32", 20},
                                     {"f32", 200}}) {
    kernel.arithmetic = arithmetic;
    EXPECT_EQ(getFloorSeconds(kernel, chip), seconds);
  }
  kernel.bytesWritten = 299;
  EXPECT_EQ(getFloorSeconds(kernel, chip), 300);
}

} // namespace
