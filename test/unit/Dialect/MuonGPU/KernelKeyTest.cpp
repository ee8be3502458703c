//===- KernelKeyTest.cpp - Which work one kernel serves ---------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Dialect/MuonGPU/Transforms/KernelKey.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include <gtest/gtest.h>

using namespace mlir::muon_gpu;

namespace {

/// A product, as text whose parts a test replaces.
struct Product {
  std::string lhs = "memref<1x16x32xf32>", rhs = "memref<1x32x48xf32>",
              scalar = "memref<f32>", tile = "memref<1x16x48xf32>",
              out = "memref<1x16x48xf32>", attributes = "",
              arguments = "%acc: f32, %c: f64, %s: f32, %t: f32",
              body = "%0 = arith.subf %acc, %t : f32", results = "%0 : f32",
              constants = "1.0", sums;

  std::string text() const {
    std::string sumsArgument = sums.empty() ? "" : ", %sum: " + sums,
                sumsOperand = sums.empty() ? "" : "sums(%sum : " + sums + ") ";
    return "func.func @f(%l: " + lhs + ", %r: " + rhs + ", %f: " + scalar +
           ", %a: " + tile + ", %o: " + out + sumsArgument +
           ") {\nmuon_gpu.matmul lhs(%l : " + lhs + ") rhs(%r : " + rhs +
           ") scalars(%f : " + scalar + ") tiles(%a : " + tile +
           ") outs(%o : " + out + ") " + sumsOperand + "{\n^bb0(" + arguments +
           "):\n" + body + "\nmuon_gpu.yield " + results +
           "\n} {constants = array<f64: " + constants + ">" + attributes +
           "}\nreturn\n}\n";
  }
};

/// A stream, likewise.
struct Stream {
  std::string in = "memref<4x8xf32>", out = "memref<4x8xf32>",
              arguments = "%x: f32", body = "", results = "%x : f32",
              attributes = "";

  std::string text() const {
    return "func.func @f(%i: " + in + ", %o: " + out +
           ") {\nmuon_gpu.stream ins(%i : " + in + ") outs(%o : " + out +
           ") {\n^bb0(" + arguments + "):\n" + body + "\nmuon_gpu.yield " +
           results + "\n} {" + attributes + "}\nreturn\n}\n";
  }
};

class KernelKey : public testing::Test {
protected:
  KernelKey() : context(mlir::MLIRContext::Threading::DISABLED) {
    context.loadDialect<mlir::arith::ArithDialect, mlir::func::FuncDialect,
                        MuonGPUDialect>();
  }

  /// Of the one product or stream in `text`.
  std::string getKey(const std::string &text, bool hasCondition = false) {
    auto module = mlir::parseSourceString<mlir::ModuleOp>(
        text, mlir::ParserConfig(&context));
    EXPECT_TRUE(module) << text;
    std::string key;
    if (module)
      module->walk([&](WorkOpInterface work) {
        key = getKernelKey(work, hasCondition);
      });
    EXPECT_FALSE(key.empty());
    return key;
  }
  std::string getKey(const Product &product) { return getKey(product.text()); }
  std::string getKey(const Stream &stream) { return getKey(stream.text()); }

  mlir::MLIRContext context;
};

TEST_F(KernelKey, SizesOfProducts) {
  Product other;
  other.lhs = "memref<5x17x31xf32>";
  other.rhs = "memref<5x31x6xf32>";
  other.tile = other.out = "memref<5x17x6xf32>";
  EXPECT_EQ(getKey(Product()), getKey(other));
}

TEST_F(KernelKey, BuffersAndStridesOfProducts) {
  Product other;
  other.lhs = "memref<1x16x32xf32, strided<[640, 40, 1], offset: 8>>";
  other.tile = "!muon.table<1x16x48xf32>";
  other.out = "memref<16x48xf32>";
  EXPECT_EQ(getKey(Product()), getKey(other));
}

TEST_F(KernelKey, ValuesOfConstants) {
  Product other;
  other.constants = "-2.5";
  EXPECT_EQ(getKey(Product()), getKey(other));
}

TEST_F(KernelKey, OneScalarOrOneForEachMatrix) {
  Product other;
  other.scalar = "memref<1xf32>";
  EXPECT_EQ(getKey(Product()), getKey(other));
}

TEST_F(KernelKey, NamesOfValues) {
  Product other;
  other.body = "%difference = arith.subf %acc, %t : f32";
  other.results = "%difference : f32";
  EXPECT_EQ(getKey(Product()), getKey(other));
}

TEST_F(KernelKey, NumberOfConstants) {
  // Not even used, so that no value of the region has another number.
  Product one, other;
  one.body = "";
  one.results = "%acc : f32";
  other = one;
  other.constants = "1.0, 1.0";
  other.arguments = "%acc: f32, %c: f64, %d: f64, %s: f32, %t: f32";
  EXPECT_NE(getKey(one), getKey(other));
}

TEST_F(KernelKey, Operations) {
  Product other;
  other.body = "%0 = arith.addf %acc, %t : f32";
  EXPECT_NE(getKey(Product()), getKey(other));
}

TEST_F(KernelKey, OrderOfOperands) {
  Product other;
  other.body = "%0 = arith.subf %t, %acc : f32";
  EXPECT_NE(getKey(Product()), getKey(other));
}

TEST_F(KernelKey, WhatIsYielded) {
  Product other;
  other.results = "%t : f32";
  EXPECT_NE(getKey(Product()), getKey(other));
}

TEST_F(KernelKey, PropertiesOfOperations) {
  Product one, other;
  one.body = "%b = arith.cmpf olt, %acc, %t : f32\n"
             "%0 = arith.select %b, %acc, %t : f32";
  other.body = "%b = arith.cmpf ogt, %acc, %t : f32\n"
               "%0 = arith.select %b, %acc, %t : f32";
  EXPECT_NE(getKey(one), getKey(other));
}

TEST_F(KernelKey, ConstantsInTheRegion) {
  Product one, other;
  one.body = "%k = arith.constant 1.0 : f32\n%0 = arith.addf %acc, %k : f32";
  other.body = "%k = arith.constant 2.0 : f32\n%0 = arith.addf %acc, %k : f32";
  EXPECT_NE(getKey(one), getKey(other));
}

TEST_F(KernelKey, TypeOfFactors) {
  Product half, bfloat;
  half.lhs = "memref<1x16x32xf16>";
  half.rhs = "memref<1x32x48xf16>";
  bfloat.lhs = "memref<1x16x32xbf16>";
  bfloat.rhs = "memref<1x32x48xbf16>";
  EXPECT_NE(getKey(Product()), getKey(half));
  EXPECT_NE(getKey(half), getKey(bfloat));
}

TEST_F(KernelKey, TypesOfTilesOutputsAndScalars) {
  // The region looks at none of them, so that nothing but their types differs.
  Product plain, tile, scalar;
  plain.body = "";
  plain.results = "%acc : f32";
  tile = scalar = plain;
  tile.tile = "memref<1x16x48xbf16>";
  tile.arguments = "%acc: f32, %c: f64, %s: f32, %t: bf16";
  scalar.scalar = "memref<f64>";
  scalar.arguments = "%acc: f32, %c: f64, %s: f64, %t: f32";
  EXPECT_NE(getKey(plain), getKey(tile));
  EXPECT_NE(getKey(plain), getKey(scalar));

  Product half, bfloat;
  half.out = "memref<1x16x48xf16>";
  half.body = "%0 = arith.truncf %acc : f32 to f16";
  half.results = "%0 : f16";
  bfloat.out = "memref<1x16x48xbf16>";
  bfloat.body = "%0 = arith.truncf %acc : f32 to bf16";
  bfloat.results = "%0 : bf16";
  EXPECT_NE(getKey(half), getKey(bfloat));
}

TEST_F(KernelKey, Transposes) {
  Product plain;
  plain.lhs = plain.rhs = "memref<1x16x16xf32>";
  plain.tile = plain.out = "memref<1x16x16xf32>";
  std::vector<std::string> keys;
  for (const char *attributes :
       {"", ", lhs_transposed", ", rhs_transposed",
        ", lhs_transposed, rhs_transposed", ", symmetric", ", tf32"}) {
    Product other = plain;
    other.attributes = attributes;
    keys.push_back(getKey(other));
  }
  for (size_t i = 0; i < keys.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      EXPECT_NE(keys[i], keys[j]) << i << " and " << j;
}

TEST_F(KernelKey, Schedules) {
  auto getAttributes = [](const std::string &rest) {
    return ", schedule = #muon_gpu.schedule<m = 32, n = 32, k = 32, warps_m = "
           "2, warps_n = 2, stages = 4, raster = 8, " +
           rest + ">";
  };
  Product one, other;
  one.attributes = getAttributes("width = 4, masked = true");
  EXPECT_NE(getKey(Product()), getKey(one));
  other.attributes = getAttributes("width = 1, masked = true");
  EXPECT_NE(getKey(one), getKey(other));
}

TEST_F(KernelKey, Sums) {
  Product other;
  other.sums = "memref<1xf64>";
  other.body = "%0 = arith.subf %acc, %t : f32\n"
               "%1 = arith.extf %0 : f32 to f64";
  other.results = "%0, %1 : f32, f64";
  EXPECT_NE(getKey(Product()), getKey(other));
  Product blocks = other;
  blocks.sums = "memref<12xf64>";
  EXPECT_EQ(getKey(other), getKey(blocks));
}

TEST_F(KernelKey, Condition) {
  for (const std::string &text : {Product().text(), Stream().text()}) {
    EXPECT_NE(getKey(text), getKey(text, /*hasCondition=*/true));
    EXPECT_EQ(getKey(text, /*hasCondition=*/true),
              getKey(text, /*hasCondition=*/true));
  }
}

TEST_F(KernelKey, SizesOfStreams) {
  Stream other;
  other.in = "!muon.table<3x7x5xf32>";
  other.out = "memref<3x7x5xf32>";
  EXPECT_EQ(getKey(Stream()), getKey(other));
}

TEST_F(KernelKey, RowsOfStreamsThatLieApart) {
  Stream in, out;
  in.in = "memref<4x8xf32, strided<[12, 1]>>";
  out.out = "memref<4x8xf32, strided<[12, 1]>>";
  EXPECT_NE(getKey(Stream()), getKey(in));
  EXPECT_NE(getKey(Stream()), getKey(out));
  EXPECT_NE(getKey(in), getKey(out));
  Stream farther;
  farther.in = "memref<4x8xf32, strided<[16, 1]>>";
  EXPECT_EQ(getKey(in), getKey(farther));
}

TEST_F(KernelKey, SchedulesOfStreams) {
  Stream one, other;
  one.attributes = "schedule = #muon_gpu.stream_schedule<threads = 256, width "
                   "= 4, unroll = 2, chunk = 4096>";
  other.attributes = "schedule = #muon_gpu.stream_schedule<threads = 256, "
                     "width = 1, unroll = 2, chunk = 4096>";
  EXPECT_NE(getKey(Stream()), getKey(one));
  EXPECT_NE(getKey(one), getKey(other));
}

} // namespace
