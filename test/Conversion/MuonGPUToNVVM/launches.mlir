// RUN: muon-opt --convert-muon-gpu-to-nvvm --canonicalize --cse --mlir-print-elementsattrs-with-hex-if-larger=-1 %s | FileCheck %s

// The table of problems has for each launch the first blocks of its problems and
// the number of all blocks, then the records: words, and five words for each
// operand. Those are −1 − slot or a place in the arena, matrices before the
// first, matrices for each unit of the loop's offset, matrices of a member, and
// bytes from one matrix to the next.

// CHECK: module attributes {muon.kernels = [
// CHECK-SAME: name = "table_0", phase = "table", shared = 0 : i64, threads = 32 : i64}
// CHECK-SAME: name = "shapes_1", phase = "shapes", shared = 4096 : i64, threads = 32 : i64}
// CHECK-SAME: name = "loop_2", phase = "loop", shared = 0 : i64, threads = 32 : i64}
// CHECK-SAME: name = "flag_3", phase = "flag", shared = 0 : i64, threads = 32 : i64}
// CHECK-SAME: name = "batch_4", phase = "batch", shared = 0 : i64, threads = 32 : i64}

// Three members are three slots; the sums, one for each chunk, are in the next.
// A matrix of 320 elements takes three chunks of 128.

// CHECK-LABEL: func.func @table(
// CHECK-DAG: %[[ID0:.+]] = arith.constant 0 : i32
// CHECK-DAG: %[[ONE:.+]] = arith.constant 1 : i32
// CHECK-DAG: %[[BLOCKS:.+]] = arith.constant 9 : i64
// CHECK-DAG: %[[NONE:.+]] = arith.constant 0 : i64
// CHECK: muon.host_call "launch"(%[[ID0]], %[[BLOCKS]], %[[NONE]], %[[ID0]], %[[ONE]])
func.func @table(%g: !muon.table<3x20x16xf32>, %s: memref<9xf64>) {
  muon_gpu.launch {
    muon_gpu.stream ins(%g : !muon.table<3x20x16xf32>) sums(%s : memref<9xf64>) {
    ^bb0(%x: f32):
      %0 = arith.extf %x : f32 to f64
      muon_gpu.yield %0 : f64
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 128>}
  } {phase = "table"}
  return
}

// Two shapes in one launch: one kernel, two records, from word 16 on. The first
// has 2 matrices of 2×1 tiles, the second one of 1×3 whose last is cut.

// CHECK-LABEL: func.func @shapes(
// CHECK-DAG: %[[ID1:.+]] = arith.constant 1 : i32
// CHECK-DAG: %[[BLOCKS:.+]] = arith.constant 7 : i64
// CHECK-DAG: %[[FIRST:.+]] = arith.constant 16 : i32
// CHECK-DAG: %[[TWO:.+]] = arith.constant 2 : i32
// CHECK-DAG: %[[FOUR:.+]] = arith.constant 4 : i64
// CHECK-DAG: %[[AGAIN:.+]] = arith.constant 69 : i32
// CHECK: muon.host_call "launch"(%[[ID1]], %[[BLOCKS]], %{{.+}}, %[[FIRST]], %[[TWO]])
// The same kernel once more, with another constant.
// CHECK-NEXT: muon.host_call "launch"(%[[ID1]], %[[FOUR]], %{{.+}}, %[[AGAIN]], %[[ID1]])
func.func @shapes(%a: memref<2x32x32xbf16>, %b: memref<2x16x32xbf16>, %o: memref<2x32x16xf32>, %c: memref<1x16x64xbf16>, %d: memref<1x40x64xbf16>, %p: memref<1x16x40xf32>) {
  muon_gpu.launch {
    muon_gpu.matmul lhs(%a : memref<2x32x32xbf16>) rhs(%b : memref<2x16x32xbf16>) outs(%o : memref<2x32x16xf32>) {
    ^bb0(%acc: f32, %alpha: f64):
      %0 = arith.truncf %alpha : f64 to f32
      %1 = arith.mulf %acc, %0 : f32
      muon_gpu.yield %1 : f32
    } {constants = array<f64: 2.0>, rhs_transposed, schedule = #muon_gpu.schedule<m = 16, n = 16, k = 32, warps_m = 1, warps_n = 1, stages = 2, raster = 4, width = 4, masked = true>}
    muon_gpu.matmul lhs(%c : memref<1x16x64xbf16>) rhs(%d : memref<1x40x64xbf16>) outs(%p : memref<1x16x40xf32>) {
    ^bb0(%acc: f32, %alpha: f64):
      %0 = arith.truncf %alpha : f64 to f32
      %1 = arith.mulf %acc, %0 : f32
      muon_gpu.yield %1 : f32
    } {constants = array<f64: 1.0>, rhs_transposed, schedule = #muon_gpu.schedule<m = 16, n = 16, k = 32, warps_m = 1, warps_n = 1, stages = 2, raster = 4, width = 4, masked = true>}
  } {phase = "shapes"}
  muon_gpu.launch {
    muon_gpu.matmul lhs(%a : memref<2x32x32xbf16>) rhs(%b : memref<2x16x32xbf16>) outs(%o : memref<2x32x16xf32>) {
    ^bb0(%acc: f32, %alpha: f64):
      %0 = arith.truncf %alpha : f64 to f32
      %1 = arith.mulf %acc, %0 : f32
      muon_gpu.yield %1 : f32
    } {constants = array<f64: 0.5>, rhs_transposed, schedule = #muon_gpu.schedule<m = 16, n = 16, k = 32, warps_m = 1, warps_n = 1, stages = 2, raster = 4, width = 4, masked = true>}
  } {phase = "again"}
  return
}

// Slices: of a table with two matrices for each member, at the offset of the
// loop, which comes as an argument of the kernel; of the arena at a fixed place.

// CHECK-LABEL: func.func @loop(
// CHECK-DAG: %[[ID2:.+]] = arith.constant 2 : i32
// CHECK-DAG: %[[BLOCKS:.+]] = arith.constant 4 : i64
// CHECK: scf.for %[[I:.+]] = %{{.+}} to %{{.+}} step %{{.+}} {
// CHECK-NEXT: %[[OFFSET:.+]] = arith.index_cast %[[I]] : index to i64
// CHECK-NEXT: muon.host_call "launch"(%[[ID2]], %[[BLOCKS]], %[[OFFSET]], %{{.+}}, %{{.+}})
func.func @loop(%g: !muon.table<4x2x8x16xf32>) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %c512 = arith.constant 512 : index
  %arena = muon.arena : memref<8192xi8>
  %x = memref.view %arena[%c512][] : memref<8192xi8> to memref<6x8x16xf32>
  %part = muon.slice %x[%c2] : memref<6x8x16xf32> to memref<4x8x16xf32>
  scf.for %i = %c0 to %c4 step %c2 {
    %from = muon.slice %g[%i] : !muon.table<4x2x8x16xf32> to !muon.table<2x2x8x16xf32>
    muon_gpu.launch {
      muon_gpu.stream ins(%from : !muon.table<2x2x8x16xf32>) outs(%part : memref<4x8x16xf32>) {
      ^bb0(%x0: f32):
        muon_gpu.yield %x0 : f32
      } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 128>}
    } {phase = "loop"}
  }
  return
}

// The flag is the first operand, then a scalar for each matrix; rows of the
// result lie 16 elements apart.

// CHECK-LABEL: func.func @flag(
// CHECK: muon.host_call "launch"(
func.func @flag(%ok: memref<i1>, %f: memref<2xf64>, %t: memref<f32>) {
  %c64 = arith.constant 64 : index
  %arena = muon.arena : memref<4096xi8>
  %v = memref.view %arena[%c64][] : memref<4096xi8> to memref<2x8x16xbf16>
  %o = memref.subview %v[0, 0, 0] [2, 8, 12] [1, 1, 1] : memref<2x8x16xbf16> to memref<2x8x12xbf16, strided<[128, 16, 1]>>
  muon_gpu.launch when(%ok : memref<i1>) {
    muon_gpu.stream scalars(%f, %t : memref<2xf64>, memref<f32>) outs(%o : memref<2x8x12xbf16, strided<[128, 16, 1]>>) {
    ^bb0(%x: f64, %y: f32):
      %0 = arith.truncf %x : f64 to f32
      %1 = arith.mulf %0, %y : f32
      %2 = arith.truncf %1 : f32 to bf16
      muon_gpu.yield %2 : bf16
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 128>}
  } {phase = "flag"}
  // A kernel that asks for no flag is another one.
  muon_gpu.launch {
    muon_gpu.stream scalars(%f, %t : memref<2xf64>, memref<f32>) outs(%o : memref<2x8x12xbf16, strided<[128, 16, 1]>>) {
    ^bb0(%x: f64, %y: f32):
      %0 = arith.truncf %x : f64 to f32
      %1 = arith.mulf %0, %y : f32
      %2 = arith.truncf %1 : f32 to bf16
      muon_gpu.yield %2 : bf16
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 128>}
  } {phase = "batch"}
  return
}

// CHECK: llvm.mlir.global internal constant @muon_problems(dense<[
// Chunks, elements, columns, elements from row to row.
// CHECK-SAME: 0, 9, 3, 320, 16, 16, -1, 0, 0, 1, 1280, -4, 0, 0, 2147483647, 24,
// Tiles, M, N, K, elements from row to row of lhs and rhs, rows and columns of
// tiles, the bits of the constant, elements from row to row of the result.
// CHECK-SAME: 0, 4, 7,
// CHECK-SAME: 2, 32, 16, 32, 32, 32, 2, 1, 4611686018427387904, 16,
// CHECK-SAME: -1, 0, 0, 2147483647, 2048, -2, 0, 0, 2147483647, 1024, -3, 0, 0, 2147483647, 2048,
// CHECK-SAME: 3, 16, 40, 64, 64, 64, 1, 3, 4607182418800017408, 40,
// CHECK-SAME: -4, 0, 0, 2147483647, 2048, -5, 0, 0, 2147483647, 5120, -6, 0, 0, 2147483647, 2560,
// CHECK-SAME: 0, 4, 2, 32, 16, 32, 32, 32, 2, 1, 4602678819172646912, 16,
// CHECK-SAME: -1, 0, 0, 2147483647, 2048, -2, 0, 0, 2147483647, 1024, -3, 0, 0, 2147483647, 2048,
// CHECK-SAME: 0, 4, 1, 128, 16, 16, 16, -1, 0, 2, 2, 512, 512, 2, 0, 2147483647, 512,
// CHECK-SAME: 0, 2, 1, 96, 12, 16,
// CHECK-SAME: -1, 0, 0, 2147483647, 0, -2, 0, 0, 2147483647, 8, -3, 0, 0, 2147483647, 0, 64, 0, 0, 2147483647, 256,
// CHECK-SAME: 0, 2, 1, 96, 12, 16,
// CHECK-SAME: -2, 0, 0, 2147483647, 8, -3, 0, 0, 2147483647, 0, 64, 0, 0, 2147483647, 256]> : tensor<160xi64>)
