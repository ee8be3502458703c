//===- PlacementTest.cpp - Where a part of a tensor lies ------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../../../lib/Runtime/Tool/Placement.h"

#include "TestArtifact.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <random>

using namespace muon;
using testing::HasSubstr;

namespace {

using Shape = std::vector<int64_t>;

Placement block(Shape of, Shape offset, Shape shape) {
  Placement placement;
  placement.of = std::move(of);
  placement.offset = std::move(offset);
  placement.shape = std::move(shape);
  return placement;
}

Placement run(Placement block, int64_t from, int64_t elements) {
  block.isRun = true;
  block.from = from;
  block.elements = elements;
  return block;
}

Placement run(const Shape &of, int64_t from, int64_t elements) {
  return run(Placement::whole(of), from, elements);
}

/// The numbers of the elements of a part, one by one by its definition.
std::vector<int> elementsOf(const Placement &placement) {
  std::vector<int> numbers;
  int64_t all = 1;
  for (int64_t dim : placement.of)
    all *= dim;
  for (int64_t number = 0; number < all; ++number) {
    bool isInside = true;
    int64_t rest = number;
    for (size_t d = placement.of.size(); d-- > 0;) {
      const int64_t index = rest % placement.of[d] - placement.offset[d];
      rest /= placement.of[d];
      isInside &= index >= 0 && index < placement.shape[d];
    }
    if (isInside)
      numbers.push_back(int(number));
  }
  if (placement.isRun)
    numbers = {numbers.begin() + placement.from,
               numbers.begin() + placement.from + placement.elements};
  return numbers;
}

Placement randomPart(std::mt19937 &random, const Shape &of) {
  auto below = [&](int64_t limit) {
    return int64_t(random() % uint64_t(limit));
  };
  Shape offset, shape;
  int64_t all = 1;
  for (int64_t dim : of) {
    offset.push_back(below(dim + 1));
    shape.push_back(below(dim - offset.back() + 1));
    all *= shape.back();
  }
  Placement part = block(of, offset, shape);
  if (random() % 2)
    return part;
  if (random() % 2) {
    part = Placement::whole(of);
    all = int64_t(elementsOf(part).size());
  }
  const int64_t from = below(all + 1);
  return run(part, from, below(all - from + 1));
}

} // namespace

TEST(PlacementTest, FillsFromAnyParts) {
  std::mt19937 random(1);
  int complete = 0, incomplete = 0, differences = 0;
  for (int round = 0; round < 5000; ++round) {
    Shape of;
    for (size_t d = random() % 4; d > 0; --d)
      of.push_back(int64_t(1 + random() % 5));
    const Placement target = randomPart(random, of);
    const std::vector<int> wanted = elementsOf(target);
    std::vector<int> result(wanted.size() + 1, -1), expected = result;
    PartFiller filler(target, result.data(), sizeof(int));
    for (size_t count = random() % 9; count > 0; --count) {
      const Placement source =
          random() % 5 ? randomPart(random, of) : Placement::whole(of);
      const std::vector<int> numbers = elementsOf(source);
      std::vector<int> values;
      for (int number : numbers)
        values.push_back(number * 100 + (random() % 16 ? 0 : int(count)));
      values.push_back(-7);
      std::optional<int64_t> difference;
      for (size_t i = 0; i < wanted.size(); ++i)
        for (size_t j = 0; j < numbers.size(); ++j) {
          if (wanted[i] != numbers[j])
            continue;
          if (expected[i] == -1)
            expected[i] = values[j];
          else if (expected[i] != values[j] && !difference)
            difference = wanted[i];
        }
      ASSERT_EQ(filler.add(source, values.data()), difference)
          << round << ": " << source.text();
      differences += difference.has_value();
    }
    ASSERT_EQ(result, expected) << round << ": " << target.text();
    const bool isComplete =
        std::count(expected.begin(), expected.end() - 1, -1) == 0;
    ASSERT_EQ(filler.isComplete(), isComplete) << round;
    ++(isComplete ? complete : incomplete);
    if (!isComplete) {
      const size_t first = size_t(
          std::find(expected.begin(), expected.end(), -1) - expected.begin());
      EXPECT_THAT(
          filler.missingText(),
          HasSubstr("elements " + std::to_string(wanted[first]) + " to "));
    }
  }
  EXPECT_GT(complete, 300);
  EXPECT_GT(incomplete, 300);
  EXPECT_GT(differences, 300);
}

TEST(PlacementTest, Contains) {
  std::mt19937 random(2);
  for (int round = 0; round < 500; ++round) {
    Shape of;
    int all = 1;
    for (size_t d = random() % 4; d > 0; --d) {
      of.push_back(int64_t(1 + random() % 5));
      all *= int(of.back());
    }
    const Placement part = randomPart(random, of);
    std::vector<int> found;
    for (int number = 0; number < all; ++number)
      if (part.contains(number))
        found.push_back(number);
    EXPECT_EQ(found, elementsOf(part)) << part.text();
  }
}

TEST(PlacementTest, SaysWhatIsMissing) {
  float to[8];
  PartFiller filler(block({3, 4}, {1, 0}, {2, 4}), to, sizeof(float));
  const float some[4] = {};
  filler.add(block({3, 4}, {0, 1}, {2, 2}), some);
  EXPECT_EQ(filler.missingText(), "elements 4 to 4 of 12, from [1, 0] on");
  filler.add(run(Shape{3, 4}, 4, 4), some);
  EXPECT_EQ(filler.missingText(), "elements 8 to 11 of 12, from [2, 0] on");
}

namespace {

class PlacementFileTest : public testing::Test {
protected:
  std::string read(const std::string &metadata) {
    const float data[6] = {};
    std::string error;
    const std::string path = directory.file("f");
    EXPECT_TRUE(writeSafetensors(
        path, {{"a", DType::F32, {2, 3}, data}, {"b", DType::F32, {6}, data}},
        {{placementKey, metadata}}, error))
        << error;
    file = SafetensorsFile::open(path, error);
    parts.clear();
    return readPlacements(*file, parts, error) ? "" : error;
  }

  TemporaryDirectory directory;
  std::unique_ptr<SafetensorsFile> file;
  std::map<std::string, FilePart> parts;
};

} // namespace

TEST_F(PlacementFileTest, WritesAndReads) {
  const std::map<std::string, FilePart> written = {
      {"a", {"whole", block({4, 5}, {2, 1}, {2, 3})}},
      {"b", {"b", run(Shape{2, 5}, 4, 6)}}};
  ASSERT_EQ(read(placementsText(written)), "");
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts["a"].tensor, "whole");
  EXPECT_EQ(parts["a"].placement.text(), "[2, 1] of [4, 5]");
  EXPECT_EQ(parts["b"].tensor, "b");
  EXPECT_EQ(parts["b"].placement.text(), "from 4 of [2, 5]");
  EXPECT_EQ(parts["b"].placement.elements, 6);
}

TEST_F(PlacementFileTest, RunsOfBlocks) {
  // Of any shape.
  for (const char *name : {"a", "b"}) {
    const std::map<std::string, FilePart> written = {
        {name, {name, run(block({4, 8}, {1, 3}, {3, 5}), 7, 6)}}};
    ASSERT_EQ(read(placementsText(written)), "");
    const Placement &placement = parts[name].placement;
    EXPECT_EQ(placement.text(), "from 7 of the block [3, 5] at [1, 3] of "
                                "[4, 8]");
    EXPECT_EQ(placement.elements, 6);
    EXPECT_EQ(elementsOf(placement),
              (std::vector<int>{8 * 2 + 5, 8 * 2 + 6, 8 * 2 + 7, 8 * 3 + 3,
                                8 * 3 + 4, 8 * 3 + 5}));
  }
}

TEST_F(PlacementFileTest, Refuses) {
  auto expectRefused = [&](const std::string &message,
                           const std::string &metadata) {
    EXPECT_THAT(read(metadata), HasSubstr(message)) << metadata;
  };
  expectRefused("metadata 'muon.placement': is not a JSON object", "{");
  expectRefused("is not a JSON object", "[]");
  expectRefused("there is no tensor 'c'", R"({"c": {}})");
  expectRefused("tensor 'a': expected {", R"({"a": 1})");
  expectRefused("tensor 'a': expected {", R"({"a": {"of": [2, 3]}})");
  expectRefused("tensor 'a': expected {",
                R"({"a": {"of": [2, 3], "from": 0, "offset": [0, 0]}})");
  expectRefused("tensor 'a': expected {",
                R"({"a": {"of": [2, 3], "from": 0, "block": [2, 3]}})");
  expectRefused("of its block, its shape is [2, 3], which is not within a "
                "tensor, from [1, 0] on, of shape [2, 3]",
                R"({"a": {"of": [2, 3], "from": 0, "block": [2, 3],
                          "offset": [1, 0]}})");
  expectRefused("its shape is [2, 3], which is not within a block of shape "
                "[4, 2], from element 3 on, of shape [4, 4]",
                R"({"a": {"of": [4, 4], "from": 3, "block": [4, 2],
                          "offset": [0, 2]}})");
  expectRefused("tensor 'a': expected {",
                R"({"a": {"of": [2, -3], "offset": [0, 0]}})");
  expectRefused("'tensor' is not a string",
                R"({"a": {"of": [2, 3], "offset": [0, 0], "tensor": 1}})");
  expectRefused("is too large", R"({"b": {"of": [9000000000000000000, 2],
                                          "from": 0}})");
  expectRefused("its shape is [2, 3], which is not within a tensor, from [1, "
                "0] on, of shape [2, 3]",
                R"({"a": {"of": [2, 3], "offset": [1, 0]}})");
  expectRefused("not within a tensor",
                R"({"a": {"of": [2, 3, 1], "offset": [0, 0, 0]}})");
  expectRefused("not within a tensor, from element 5 on, of shape [2, 5]",
                R"({"b": {"of": [2, 5], "from": 5}})");
  expectRefused("not within a tensor", R"({"a": {"of": [5], "from": 0}})");
}
