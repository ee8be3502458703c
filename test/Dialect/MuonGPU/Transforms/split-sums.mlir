// RUN: muon-opt --muon-gpu-split-sums %s | FileCheck %s
// RUN: muon-opt --muon-gpu-split-sums --muon-gpu-split-sums %s | FileCheck %s

// Every block gets a number of its own. Products have one for each tile: 100 rows
// are two tiles of 64, 64 columns two of 32, so two matrices have eight.

// CHECK-LABEL: func.func @product(
// CHECK-SAME:    %[[S:[a-z0-9]+]]: memref<2xf64>, %[[OK:[a-z0-9]+]]: memref<i1>
// CHECK-NEXT:    %[[P:.+]] = memref.alloc() : memref<8xf64>
// CHECK-NEXT:    muon_gpu.matmul {{.*}} sums(%[[P]] : memref<8xf64>) when(%[[OK]] : memref<i1>) {
// CHECK:         muon_gpu.launch when(%[[OK]] : memref<i1>) {
// CHECK-NEXT:      muon_gpu.reduce partials(%[[P]] : memref<8xf64>) sums(%[[S]] : memref<2xf64>){{$}}
// CHECK-NEXT:    } {phase = "reduce"}
// CHECK-NEXT:    return
func.func @product(%s: memref<2xf64>, %ok: memref<i1>, %a: memref<2x100x32xf32>, %b: memref<2x32x64xf32>, %o: memref<2x100x64xf32>) {
  muon_gpu.matmul lhs(%a : memref<2x100x32xf32>) rhs(%b : memref<2x32x64xf32>) outs(%o : memref<2x100x64xf32>) sums(%s : memref<2xf64>) when(%ok : memref<i1>) {
  ^bb0(%acc: f32):
    %0 = arith.extf %acc : f32 to f64
    muon_gpu.yield %acc, %0 : f32, f64
  } {schedule = #muon_gpu.schedule<m = 64, n = 32, k = 32, warps_m = 2, warps_n = 2, stages = 3, raster = 8, width = 4, masked = true>}
  return
}

// Streams have one for each chunk: 41 rows of 100 are two chunks of 4096. Sums
// of one operation are added by one launch.

// CHECK-LABEL: func.func @stream(
// CHECK-SAME:    %[[S:[a-z0-9]+]]: memref<3xf64>, %[[T:[a-z0-9]+]]: memref<3xf64>
// CHECK:         %[[P:.+]] = memref.alloc() : memref<6xf64>
// CHECK:         %[[Q:.+]] = memref.alloc() : memref<6xf64>
// CHECK:         muon_gpu.stream {{.*}} sums(%[[P]], %[[Q]] : memref<6xf64>, memref<6xf64>) {
// CHECK:         muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.reduce partials(%[[P]] : memref<6xf64>) sums(%[[S]] : memref<3xf64>)
// CHECK-NEXT:      muon_gpu.reduce partials(%[[Q]] : memref<6xf64>) sums(%[[T]] : memref<3xf64>)
// CHECK-NEXT:    } {phase = "reduce"}
func.func @stream(%s: memref<3xf64>, %t: memref<3xf64>, %a: !muon.table<3x41x100xf32>) {
  muon_gpu.stream ins(%a : !muon.table<3x41x100xf32>) sums(%s, %t : memref<3xf64>, memref<3xf64>) {
  ^bb0(%x: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0, %0 : f64, f64
  } {schedule = #muon_gpu.stream_schedule<threads = 256, width = 4, unroll = 4, chunk = 4096>}
  return
}

// One block for each matrix writes the sum itself.

// CHECK-LABEL: func.func @one_block(
// CHECK-SAME:    %[[S:[a-z0-9]+]]: memref<3xf64>
// CHECK-NOT:     muon_gpu.launch
// CHECK:         muon_gpu.stream {{.*}} sums(%[[S]] : memref<3xf64>) {
// CHECK-NOT:     muon_gpu.launch
// CHECK:         return
func.func @one_block(%s: memref<3xf64>, %a: !muon.table<3x64x64xf32>) {
  muon_gpu.stream ins(%a : !muon.table<3x64x64xf32>) sums(%s : memref<3xf64>) {
  ^bb0(%x: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0 : f64
  } {schedule = #muon_gpu.stream_schedule<threads = 256, width = 4, unroll = 4, chunk = 4096>}
  return
}

// Without sums no schedule is asked for.

// CHECK-LABEL: func.func @no_sums(
// CHECK-NEXT:    muon_gpu.stream
// CHECK:         muon_gpu.matmul
func.func @no_sums(%a: memref<1x16x16xf32>, %o: memref<1x16x16xf32>) {
  muon_gpu.stream ins(%o : memref<1x16x16xf32>) outs(%a : memref<1x16x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%a : memref<1x16x16xf32>) outs(%o : memref<1x16x16xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  return
}
