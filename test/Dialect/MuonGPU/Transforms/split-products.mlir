// A product of parts of the inner dimension, and a stream that adds them in
// order and does the epilogue.

// RUN: muon-opt --muon-gpu-split-products %s | FileCheck %s

// Columns of X: parts lie side by side.

// CHECK-LABEL: func.func @gram(
// CHECK-SAME: %[[X:[^:]+]]: memref<1x32x4096xf16>, %[[A:[^:]+]]: memref<1x32x32xf16>, %[[F:[^:]+]]: memref<1xf32>, %[[OK:[^:]+]]: memref<i1>
// CHECK: %[[P:.+]] = memref.alloc() : memref<2x32x32xf32>
// CHECK: %[[Y:.+]] = memref.reinterpret_cast %[[X]] to offset: [0], sizes: [2, 32, 2048], strides: [2048, 4096, 1]
// CHECK: muon_gpu.matmul lhs(%[[Y]] : {{.*}}) rhs(%[[Y]] : {{.*}}) outs(%[[P]] : memref<2x32x32xf32>) when(%[[OK]] : memref<i1>) {
// CHECK-NEXT: ^bb0(%[[ACC:.+]]: f32):
// CHECK-NEXT: muon_gpu.yield %[[ACC]] : f32
// CHECK-NEXT: } {rhs_transposed, schedule = #muon_gpu.schedule<m = 32, n = 32, k = 64, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = false>, symmetric}
// CHECK: %[[P0:.+]] = muon.slice %[[P]][%{{.+}}] : memref<2x32x32xf32> to memref<1x32x32xf32>
// CHECK: %[[P1:.+]] = muon.slice %[[P]][%{{.+}}] : memref<2x32x32xf32> to memref<1x32x32xf32>
// CHECK: muon_gpu.stream scalars(%[[F]] : memref<1xf32>) ins(%[[P0]], %[[P1]] : memref<1x32x32xf32>, memref<1x32x32xf32>) outs(%[[A]] : memref<1x32x32xf16>) when(%[[OK]] : memref<i1>) {
// CHECK-NEXT: ^bb0(%[[C:.+]]: f64, %[[S:.+]]: f32, %[[X0:.+]]: f32, %[[X1:.+]]: f32):
// CHECK-NEXT: %[[SUM:.+]] = arith.addf %[[X0]], %[[X1]] : f32
// CHECK-NEXT: %[[SCALED:.+]] = arith.mulf %[[SUM]], %[[S]] : f32
// CHECK-NEXT: arith.truncf %[[C]] : f64 to f32
func.func @gram(%x: memref<1x32x4096xf16>, %a: memref<1x32x32xf16>, %f: memref<1xf32>, %ok: memref<i1>) {
  muon_gpu.matmul lhs(%x : memref<1x32x4096xf16>) rhs(%x : memref<1x32x4096xf16>) scalars(%f : memref<1xf32>) outs(%a : memref<1x32x32xf16>) when(%ok : memref<i1>) {
  ^bb0(%acc: f32, %c: f64, %s: f32):
    %0 = arith.mulf %acc, %s : f32
    %1 = arith.truncf %c : f64 to f32
    %2 = arith.mulf %0, %1 : f32
    %3 = arith.truncf %2 : f32 to f16
    muon_gpu.yield %3 : f16
  } {constants = array<f64: 2.0>, rhs_transposed, symmetric, schedule = #muon_gpu.schedule<m = 32, n = 32, k = 64, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = false, split = 2>}
  return
}

// Rows of X: parts follow one another. A tile comes behind the parts.

// CHECK-LABEL: func.func @tall(
// CHECK: memref.reinterpret_cast %{{.+}} to offset: [0], sizes: [4, 1024, 32], strides: [32768, 32, 1]
// CHECK: memref.reinterpret_cast %{{.+}} to offset: [0], sizes: [4, 1024, 64], strides: [65536, 64, 1]
// CHECK: muon_gpu.matmul
// CHECK: muon_gpu.stream ins(%{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %arg2 : memref<1x32x64xf32>, memref<1x32x64xf32>, memref<1x32x64xf32>, memref<1x32x64xf32>, memref<1x32x64xf16>) outs(%arg3 :
// CHECK-NEXT: ^bb0(%[[X0:.+]]: f32, %[[X1:.+]]: f32, %[[X2:.+]]: f32, %[[X3:.+]]: f32, %[[T:.+]]: f16):
// CHECK-NEXT: %[[S1:.+]] = arith.addf %[[X0]], %[[X1]] : f32
// CHECK-NEXT: %[[S2:.+]] = arith.addf %[[S1]], %[[X2]] : f32
// CHECK-NEXT: %[[S3:.+]] = arith.addf %[[S2]], %[[X3]] : f32
// CHECK-NEXT: arith.extf %[[T]] : f16 to f32
func.func @tall(%x: memref<1x4096x32xf16>, %y: memref<1x4096x64xf16>, %t: memref<1x32x64xf16>, %o: memref<1x32x64xf32>) {
  muon_gpu.matmul lhs(%x : memref<1x4096x32xf16>) rhs(%y : memref<1x4096x64xf16>) tiles(%t : memref<1x32x64xf16>) outs(%o : memref<1x32x64xf32>) {
  ^bb0(%acc: f32, %v: f16):
    %0 = arith.extf %v : f16 to f32
    %1 = arith.addf %acc, %0 : f32
    muon_gpu.yield %1 : f32
  } {lhs_transposed, schedule = #muon_gpu.schedule<m = 32, n = 32, k = 64, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = false, split = 4>}
  return
}

// CHECK-LABEL: func.func @whole(
// CHECK-NOT: memref.alloc
// CHECK: return
func.func @whole(%x: memref<1x32x4096xf16>, %a: memref<1x32x32xf32>) {
  muon_gpu.matmul lhs(%x : memref<1x32x4096xf16>) rhs(%x : memref<1x32x4096xf16>) outs(%a : memref<1x32x32xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  } {rhs_transposed, symmetric, schedule = #muon_gpu.schedule<m = 32, n = 32, k = 64, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = false>}
  return
}
