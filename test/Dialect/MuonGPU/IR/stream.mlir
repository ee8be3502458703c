// RUN: muon-opt %s | muon-opt | FileCheck %s
// RUN: muon-opt %s --mlir-print-op-generic | muon-opt | FileCheck %s

// CHECK-LABEL: func.func @sum_of_squares(
// CHECK-NEXT:    muon_gpu.stream ins(%{{.+}} : !muon.table<2x48x16xf32>) sums(%{{.+}} : memref<2xf64>) {
// CHECK-NEXT:    ^bb0(%[[X:.+]]: f32):
// CHECK-NEXT:      %[[WIDE:.+]] = arith.extf %[[X]] : f32 to f64
// CHECK-NEXT:      %[[R:.+]] = arith.mulf %[[WIDE]], %[[WIDE]] : f64
// CHECK-NEXT:      muon_gpu.yield %[[R]] : f64
// CHECK-NEXT:    }{{$}}
func.func @sum_of_squares(%g: !muon.table<2x48x16xf32>, %s: memref<2xf64>) {
  muon_gpu.stream ins(%g : !muon.table<2x48x16xf32>) sums(%s : memref<2xf64>) {
  ^bb0(%x: f32):
    %0 = arith.extf %x : f32 to f64
    %1 = arith.mulf %0, %0 : f64
    muon_gpu.yield %1 : f64
  }
  return
}

// An input may be an output; scalars are shared or one for each matrix.
// CHECK-LABEL: func.func @scale(
// CHECK-SAME:    %[[A:[a-z0-9]+]]: memref<f32>, %[[B:[a-z0-9]+]]: memref<3xf64>, %[[X:[a-z0-9]+]]: memref<3x4x6xf16>, %[[OK:[a-z0-9]+]]: memref<i1>)
// CHECK-NEXT:    muon_gpu.stream scalars(%[[A]], %[[B]] : memref<f32>, memref<3xf64>) ins(%[[X]] : memref<3x4x6xf16>) outs(%[[X]] : memref<3x4x6xf16>) when(%[[OK]] : memref<i1>) {
// CHECK-NEXT:    ^bb0(%{{.+}}: f64, %{{.+}}: f32, %{{.+}}: f64, %{{.+}}: f16):
// CHECK:         } {constants = array<f64: 5.000000e-01>, schedule = #muon_gpu.stream_schedule<threads = 256, width = 4, unroll = 2, chunk = 4096>}
func.func @scale(%a: memref<f32>, %b: memref<3xf64>, %x: memref<3x4x6xf16>, %ok: memref<i1>) {
  muon_gpu.stream scalars(%a, %b : memref<f32>, memref<3xf64>) ins(%x : memref<3x4x6xf16>) outs(%x : memref<3x4x6xf16>) when(%ok : memref<i1>) {
  ^bb0(%c: f64, %p: f32, %q: f64, %e: f16):
    %0 = arith.truncf %c : f64 to f16
    %1 = arith.mulf %0, %e : f16
    muon_gpu.yield %1 : f16
  } {constants = array<f64: 0.5>, schedule = #muon_gpu.stream_schedule<threads = 256, width = 4, unroll = 2, chunk = 4096>}
  return
}

// CHECK-LABEL: func.func @fill(
// CHECK-NEXT:    muon_gpu.stream outs(%{{.+}} : memref<7xf32>) {
// CHECK-NEXT:      %[[ZERO:.+]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT:      muon_gpu.yield %[[ZERO]] : f32
func.func @fill(%o: memref<7xf32>) {
  muon_gpu.stream outs(%o : memref<7xf32>) {
    %0 = arith.constant 0.0 : f32
    muon_gpu.yield %0 : f32
  }
  return
}
