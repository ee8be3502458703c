// RUN: muon-opt %s | muon-opt | FileCheck %s
// RUN: muon-opt %s --mlir-print-op-generic | muon-opt | FileCheck %s

// CHECK-LABEL: func.func @gram(
// CHECK-SAME:    %[[A:[a-z0-9]+]]: memref<2x64x32xbf16>, %[[F:[a-z0-9]+]]: memref<2xf32>, %[[P:[a-z0-9]+]]: memref<2x64x64xbf16>)
// CHECK-NEXT:    muon_gpu.matmul lhs(%[[A]] : memref<2x64x32xbf16>) rhs(%[[A]] : memref<2x64x32xbf16>) scalars(%[[F]] : memref<2xf32>) outs(%[[P]] : memref<2x64x64xbf16>) {
// CHECK-NEXT:    ^bb0(%{{.+}}: f32, %{{.+}}: f64, %{{.+}}: f32):
// CHECK:           muon_gpu.yield %{{.+}} : bf16
// CHECK-NEXT:    } {constants = array<f64: 2.000000e+00>, rhs_transposed, symmetric}
func.func @gram(%a: memref<2x64x32xbf16>, %f: memref<2xf32>, %p: memref<2x64x64xbf16>) {
  muon_gpu.matmul lhs(%a : memref<2x64x32xbf16>) rhs(%a : memref<2x64x32xbf16>) scalars(%f : memref<2xf32>) outs(%p : memref<2x64x64xbf16>) {
  ^bb0(%acc: f32, %alpha: f64, %factor: f32):
    %scale = arith.truncf %alpha : f64 to f32
    %0 = arith.mulf %acc, %scale : f32
    %1 = arith.mulf %0, %factor : f32
    %2 = arith.truncf %1 : f32 to bf16
    muon_gpu.yield %2 : bf16
  } {constants = array<f64: 2.0>, rhs_transposed, symmetric}
  return
}

// CHECK-LABEL: func.func @all_operands(
// CHECK-NEXT:    muon_gpu.matmul lhs(%{{.+}} : memref<2x32x64xf32>) rhs(%{{.+}} : memref<2x32x16xf32>) tiles(%{{.+}} : !muon.table<2x64x16xbf16>) outs(%{{.+}}, %{{.+}} : !muon.table<2x64x16xbf16>, memref<2x64x16xf32>) sums(%{{.+}} : memref<2xf64>) when(%{{.+}} : memref<i1>) {
// CHECK:           muon_gpu.yield %{{.+}}, %{{.+}}, %{{.+}} : bf16, f32, f64
// CHECK-NEXT:    } {lhs_transposed, schedule = #muon_gpu.schedule<m = 64, n = 32, k = 32, warps_m = 2, warps_n = 2, stages = 3, raster = 8, width = 1, masked = true>, tf32}
func.func @all_operands(%a: memref<2x32x64xf32>, %b: memref<2x32x16xf32>, %w: !muon.table<2x64x16xbf16>, %o: memref<2x64x16xf32>, %s: memref<2xf64>, %ok: memref<i1>) {
  muon_gpu.matmul lhs(%a : memref<2x32x64xf32>) rhs(%b : memref<2x32x16xf32>) tiles(%w : !muon.table<2x64x16xbf16>) outs(%w, %o : !muon.table<2x64x16xbf16>, memref<2x64x16xf32>) sums(%s : memref<2xf64>) when(%ok : memref<i1>) {
  ^bb0(%acc: f32, %t: bf16):
    %0 = arith.extf %acc : f32 to f64
    muon_gpu.yield %t, %acc, %0 : bf16, f32, f64
  } {lhs_transposed, tf32, schedule = #muon_gpu.schedule<m = 64, n = 32, k = 32, warps_m = 2, warps_n = 2, stages = 3, raster = 8, width = 1, masked = true>}
  return
}

// CHECK-LABEL: func.func @on_diagonal(
// CHECK:           %[[D:.+]] = muon_gpu.on_diagonal
// CHECK:           arith.select %[[D]], %{{.+}}, %{{.+}} : f32
func.func @on_diagonal(%a: memref<1x16x16xf16>, %o: memref<1x16x16xf32>) {
  muon_gpu.matmul lhs(%a : memref<1x16x16xf16>) rhs(%a : memref<1x16x16xf16>) outs(%o : memref<1x16x16xf32>) {
  ^bb0(%acc: f32, %one: f64):
    %0 = muon_gpu.on_diagonal
    %1 = arith.truncf %one : f64 to f32
    %2 = arith.select %0, %1, %acc : f32
    muon_gpu.yield %2 : f32
  } {constants = array<f64: 1.0>}
  return
}

// Rows may lie apart.
// CHECK-LABEL: func.func @padded(
// CHECK-NEXT:    muon_gpu.matmul lhs(%{{.+}} : memref<1x16x18xbf16, strided<[384, 24, 1], offset: 8>>)
func.func @padded(%a: memref<1x16x18xbf16, strided<[384, 24, 1], offset: 8>>, %o: memref<1x16x16xf32>) {
  muon_gpu.matmul lhs(%a : memref<1x16x18xbf16, strided<[384, 24, 1], offset: 8>>) rhs(%a : memref<1x16x18xbf16, strided<[384, 24, 1], offset: 8>>) outs(%o : memref<1x16x16xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  } {rhs_transposed}
  return
}
