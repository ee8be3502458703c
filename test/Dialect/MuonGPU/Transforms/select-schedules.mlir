// RUN: muon-opt --muon-gpu-select-schedules --remarks-filter=muon-gpu-select-schedules %s -o %t.mlir 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REMARK --implicit-check-not=remark:
// RUN: FileCheck %s --input-file=%t.mlir
// RUN: muon-opt --muon-gpu-select-schedules=arch=sm_90a %s | FileCheck %s

// Each row of the table, and its limits: 96 tiles of 128x128 over the batch, 128
// rows and columns; 33 rows and columns. A remark says what was taken and why.

// REMARK: select-schedules.mlir:[[#@LINE+5]]:3: remark: [Passed] Schedule | Category:muon-gpu-select-schedules | {{.*}}"96 × 128x128x64: tile 128x128x64, 2x4 warps, 3 stages, 96 tiles; 128x128 tiles fill the chip"

// CHECK-LABEL: func.func @half_many(
// CHECK:         schedule = #muon_gpu.schedule<m = 128, n = 128, k = 64, warps_m = 2, warps_n = 4, stages = 3, raster = 8, width = 4, masked = false>
func.func @half_many(%a: memref<96x128x64xf16>, %b: memref<96x64x128xf16>, %o: memref<96x128x128xf32>) {
  muon_gpu.matmul lhs(%a : memref<96x128x64xf16>) rhs(%b : memref<96x64x128xf16>) outs(%o : memref<96x128x128xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  return
}

// One tile less.

// REMARK: [[#@LINE+5]]:3: remark: [Passed] Schedule | {{.*}}"95 × 128x128x64: tile 64x64x64, 2x2 warps, 4 stages, 380 tiles; few tiles: smaller ones keep more multiprocessors busy"

// CHECK-LABEL: func.func @half_few(
// CHECK:         schedule = #muon_gpu.schedule<m = 64, n = 64, k = 64, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = false>
func.func @half_few(%a: memref<95x128x64xbf16>, %b: memref<95x64x128xbf16>, %o: memref<95x128x128xf32>) {
  muon_gpu.matmul lhs(%a : memref<95x128x64xbf16>) rhs(%b : memref<95x64x128xbf16>) outs(%o : memref<95x128x128xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  return
}

// REMARK: [[#@LINE+5]]:3: remark: [Passed] Schedule | {{.*}}"96 × 32x128x64: tile 32x32x64, 2x2 warps, 4 stages, 384 tiles; small matrices"

// CHECK-LABEL: func.func @half_small(
// CHECK:         schedule = #muon_gpu.schedule<m = 32, n = 32, k = 64, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = false>
func.func @half_small(%a: memref<96x32x64xbf16>, %b: memref<96x64x128xbf16>, %o: memref<96x32x128xf32>) {
  muon_gpu.matmul lhs(%a : memref<96x32x64xbf16>) rhs(%b : memref<96x64x128xbf16>) outs(%o : memref<96x32x128xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  return
}

// REMARK: [[#@LINE+5]]:3: remark: [Passed] Schedule | {{.*}}"96 × 128x128x64: tile 128x128x32, 2x4 warps, 3 stages, 96 tiles; 128x128 tiles fill the chip"

// CHECK-LABEL: func.func @tf32_many(
// CHECK:         schedule = #muon_gpu.schedule<m = 128, n = 128, k = 32, warps_m = 2, warps_n = 4, stages = 3, raster = 8, width = 4, masked = false>
func.func @tf32_many(%a: memref<96x128x64xf32>, %b: memref<96x64x128xf32>, %o: memref<96x128x128xf32>) {
  muon_gpu.matmul lhs(%a : memref<96x128x64xf32>) rhs(%b : memref<96x64x128xf32>) outs(%o : memref<96x128x128xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  } {tf32}
  return
}

// REMARK: [[#@LINE+5]]:3: remark: [Passed] Schedule | {{.*}}"1 × 64x192x64: tile 64x64x32, 2x2 warps, 4 stages, 3 tiles; few tiles: smaller ones keep more multiprocessors busy"

// CHECK-LABEL: func.func @tf32_few(
// CHECK:         schedule = #muon_gpu.schedule<m = 64, n = 64, k = 32, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = false>
func.func @tf32_few(%a: memref<1x64x64xf32>, %b: memref<1x64x192xf32>, %o: memref<1x64x192xf32>) {
  muon_gpu.matmul lhs(%a : memref<1x64x64xf32>) rhs(%b : memref<1x64x192xf32>) outs(%o : memref<1x64x192xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  } {tf32}
  return
}

// REMARK: [[#@LINE+5]]:3: remark: [Passed] Schedule | {{.*}}"2 × 64x32x32: tile 32x32x32, 2x2 warps, 4 stages, 4 tiles; small matrices"

// CHECK-LABEL: func.func @tf32_small(
// CHECK:         schedule = #muon_gpu.schedule<m = 32, n = 32, k = 32, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = false>
func.func @tf32_small(%a: memref<2x64x32xf32>, %b: memref<2x32x32xf32>, %o: memref<2x64x32xf32>) {
  muon_gpu.matmul lhs(%a : memref<2x64x32xf32>) rhs(%b : memref<2x32x32xf32>) outs(%o : memref<2x64x32xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  } {tf32}
  return
}

// REMARK: [[#@LINE+5]]:3: remark: [Passed] Schedule | {{.*}}"48 × 128x256x32: tile 128x128x32, 2x4 warps, 3 stages, 96 tiles; 128x128 tiles fill the chip"

// CHECK-LABEL: func.func @f32_many(
// CHECK:         schedule = #muon_gpu.schedule<m = 128, n = 128, k = 32, warps_m = 2, warps_n = 4, stages = 3, raster = 8, width = 4, masked = false>
func.func @f32_many(%a: memref<48x128x32xf32>, %b: memref<48x32x256xf32>, %o: memref<48x128x256xf32>) {
  muon_gpu.matmul lhs(%a : memref<48x128x32xf32>) rhs(%b : memref<48x32x256xf32>) outs(%o : memref<48x128x256xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  return
}

// REMARK: [[#@LINE+5]]:3: remark: [Passed] Schedule | {{.*}}"2 × 64x64x64: tile 64x64x32, 2x2 warps, 4 stages, 2 tiles; few tiles: smaller ones keep more multiprocessors busy"

// CHECK-LABEL: func.func @f32_few(
// CHECK:         schedule = #muon_gpu.schedule<m = 64, n = 64, k = 32, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = false>
func.func @f32_few(%a: memref<2x64x64xf32>, %b: memref<2x64x64xf32>, %o: memref<2x64x64xf32>) {
  muon_gpu.matmul lhs(%a : memref<2x64x64xf32>) rhs(%b : memref<2x64x64xf32>) outs(%o : memref<2x64x64xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  return
}

// REMARK: [[#@LINE+5]]:3: remark: [Passed] Schedule | {{.*}}"1 × 32x32x32: tile 32x32x32, 2x2 warps, 4 stages, 1 tiles; small matrices"

// CHECK-LABEL: func.func @f32_small(
// CHECK:         schedule = #muon_gpu.schedule<m = 32, n = 32, k = 32, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = false>
func.func @f32_small(%a: memref<1x32x32xf32>, %b: memref<1x32x32xf32>, %o: memref<1x32x32xf32>) {
  muon_gpu.matmul lhs(%a : memref<1x32x32xf32>) rhs(%b : memref<1x32x32xf32>) outs(%o : memref<1x32x32xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  return
}

// Of 2x2 tiles three are computed: 96 in 32 matrices, 93 in 31.

// REMARK: [[#@LINE+5]]:3: remark: [Passed] Schedule | {{.*}}"32 × 256x256x64, symmetric: tile 128x128x64, 2x4 warps, 3 stages, 96 tiles; 128x128 tiles fill the chip"

// CHECK-LABEL: func.func @symmetric(
// CHECK:         schedule = #muon_gpu.schedule<m = 128, n = 128, k = 64, warps_m = 2, warps_n = 4, stages = 3, raster = 8, width = 4, masked = false>
func.func @symmetric(%a: memref<32x256x64xf16>, %o: memref<32x256x256xf32>) {
  muon_gpu.matmul lhs(%a : memref<32x256x64xf16>) rhs(%a : memref<32x256x64xf16>) outs(%o : memref<32x256x256xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  } {rhs_transposed, symmetric}
  return
}

// REMARK: [[#@LINE+5]]:3: remark: [Passed] Schedule | {{.*}}"31 × 256x256x64, symmetric: tile 64x64x64, 2x2 warps, 4 stages, 310 tiles; few tiles: smaller ones keep more multiprocessors busy"

// CHECK-LABEL: func.func @symmetric_few(
// CHECK:         schedule = #muon_gpu.schedule<m = 64, n = 64, k = 64, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = false>
func.func @symmetric_few(%a: memref<31x256x64xf16>, %o: memref<31x256x256xf32>) {
  muon_gpu.matmul lhs(%a : memref<31x256x64xf16>) rhs(%a : memref<31x256x64xf16>) outs(%o : memref<31x256x256xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  } {rhs_transposed, symmetric}
  return
}

// Sizes that are no multiples of the tile, one at a time.

// REMARK: [[#@LINE+5]]:3: remark: [Passed] Schedule | {{.*}}"96 × 124x128x64: tile 64x64x64, 2x2 warps, 4 stages, 384 tiles; few tiles: smaller ones keep more multiprocessors busy; masked: sizes are no multiples of the tile"

// CHECK-LABEL: func.func @masked_rows(
// CHECK:         schedule = #muon_gpu.schedule<m = 64, n = 64, k = 64, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = true>
func.func @masked_rows(%a: memref<96x124x64xf16>, %b: memref<96x64x128xf16>, %o: memref<96x124x128xf32>) {
  muon_gpu.matmul lhs(%a : memref<96x124x64xf16>) rhs(%b : memref<96x64x128xf16>) outs(%o : memref<96x124x128xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  return
}

// REMARK: [[#@LINE+5]]:3: remark: [Passed] Schedule | {{.*}}"1 × 64x36x64: tile 64x64x64, 2x2 warps, 4 stages, 1 tiles; few tiles: smaller ones keep more multiprocessors busy; masked: sizes are no multiples of the tile"

// CHECK-LABEL: func.func @masked_columns(
// CHECK:         schedule = #muon_gpu.schedule<m = 64, n = 64, k = 64, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = true>
func.func @masked_columns(%a: memref<1x64x64xf16>, %b: memref<1x64x36xf16>, %o: memref<1x64x36xf32>) {
  muon_gpu.matmul lhs(%a : memref<1x64x64xf16>) rhs(%b : memref<1x64x36xf16>) outs(%o : memref<1x64x36xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  return
}

// REMARK: [[#@LINE+5]]:3: remark: [Passed] Schedule | {{.*}}"96 × 128x128x96: tile 128x128x64, 2x4 warps, 3 stages, 96 tiles; 128x128 tiles fill the chip; masked: sizes are no multiples of the tile"

// CHECK-LABEL: func.func @masked_inner(
// CHECK:         schedule = #muon_gpu.schedule<m = 128, n = 128, k = 64, warps_m = 2, warps_n = 4, stages = 3, raster = 8, width = 4, masked = true>
func.func @masked_inner(%a: memref<96x128x96xf16>, %b: memref<96x96x128xf16>, %o: memref<96x128x128xf32>) {
  muon_gpu.matmul lhs(%a : memref<96x128x96xf16>) rhs(%b : memref<96x96x128xf16>) outs(%o : memref<96x128x128xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  return
}

// Accesses of the epilogue take four elements where rows allow that.

// REMARK: [[#@LINE+6]]:3: remark: [Passed] Schedule | {{.*}}"1 × 64x66x32: tile 64x64x32, 2x2 warps, 4 stages, 2 tiles; few tiles: smaller ones keep more multiprocessors busy; masked: sizes are no multiples of the tile"
// REMARK: [[#@LINE+5]]:3: remark: [Missed] Schedule | {{.*}}"epilogue element by element: {{.*}}memref<1x64x66xf32> has no rows of a multiple of 4 elements"

// CHECK-LABEL: func.func @odd_columns(
// CHECK:         schedule = #muon_gpu.schedule<m = 64, n = 64, k = 32, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 1, masked = true>
func.func @odd_columns(%a: memref<1x64x32xf32>, %b: memref<1x32x66xf32>, %o: memref<1x64x66xf32>) {
  muon_gpu.matmul lhs(%a : memref<1x64x32xf32>) rhs(%b : memref<1x32x66xf32>) outs(%o : memref<1x64x66xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  return
}

// REMARK: [[#@LINE+6]]:3: remark: [Passed] Schedule | {{.*}}"1 × 64x64x32: tile 64x64x32, 2x2 warps, 4 stages, 1 tiles; few tiles: smaller ones keep more multiprocessors busy"
// REMARK: [[#@LINE+5]]:3: remark: [Missed] Schedule | {{.*}}"epilogue element by element: {{.*}}memref<1x64x64xf32, strided<[4224, 66, 1]>> has no rows of a multiple of 4 elements"

// CHECK-LABEL: func.func @odd_row_stride(
// CHECK:         schedule = #muon_gpu.schedule<m = 64, n = 64, k = 32, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 1, masked = false>
func.func @odd_row_stride(%a: memref<1x64x32xf32>, %b: memref<1x32x64xf32>, %o: memref<1x64x64xf32, strided<[4224, 66, 1]>>) {
  muon_gpu.matmul lhs(%a : memref<1x64x32xf32>) rhs(%b : memref<1x32x64xf32>) outs(%o : memref<1x64x64xf32, strided<[4224, 66, 1]>>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  return
}

// REMARK: [[#@LINE+6]]:3: remark: [Passed] Schedule | {{.*}}"2 × 64x64x32: tile 64x64x32, 2x2 warps, 4 stages, 2 tiles; few tiles: smaller ones keep more multiprocessors busy"
// REMARK: [[#@LINE+5]]:3: remark: [Missed] Schedule | {{.*}}"epilogue element by element: {{.*}}memref<2x64x64xf32, strided<[4098, 64, 1]>>

// CHECK-LABEL: func.func @odd_matrix_stride(
// CHECK:         schedule = #muon_gpu.schedule<m = 64, n = 64, k = 32, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 1, masked = false>
func.func @odd_matrix_stride(%a: memref<2x64x32xf32>, %b: memref<2x32x64xf32>, %o: memref<2x64x64xf32, strided<[4098, 64, 1]>>) {
  muon_gpu.matmul lhs(%a : memref<2x64x32xf32>) rhs(%b : memref<2x32x64xf32>) outs(%o : memref<2x64x64xf32, strided<[4098, 64, 1]>>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  return
}

// Tiles count like results.

// REMARK: [[#@LINE+6]]:3: remark: [Passed] Schedule | {{.*}}"1 × 64x64x32: tile 64x64x32,
// REMARK: [[#@LINE+5]]:3: remark: [Missed] Schedule | {{.*}}"epilogue element by element: {{.*}}memref<1x64x64xf32, strided<[4224, 66, 1]>> has no rows of a multiple of 4 elements"

// CHECK-LABEL: func.func @odd_tile(
// CHECK:         width = 1, masked = false>
func.func @odd_tile(%a: memref<1x64x32xf32>, %b: memref<1x32x64xf32>, %t: memref<1x64x64xf32, strided<[4224, 66, 1]>>, %o: memref<1x64x64xf32>) {
  muon_gpu.matmul lhs(%a : memref<1x64x32xf32>) rhs(%b : memref<1x32x64xf32>) tiles(%t : memref<1x64x64xf32, strided<[4224, 66, 1]>>) outs(%o : memref<1x64x64xf32>) {
  ^bb0(%acc: f32, %x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// Of transposed operands the other sizes count.

// REMARK: [[#@LINE+5]]:3: remark: [Passed] Schedule | {{.*}}"1 × 32x64x96: tile 32x32x32, 2x2 warps, 4 stages, 2 tiles; small matrices"

// CHECK-LABEL: func.func @transposed(
// CHECK:         schedule = #muon_gpu.schedule<m = 32, n = 32, k = 32, {{.*}} masked = false>
func.func @transposed(%a: memref<1x96x32xf32>, %b: memref<1x64x96xf32>, %o: memref<1x32x64xf32>) {
  muon_gpu.matmul lhs(%a : memref<1x96x32xf32>) rhs(%b : memref<1x64x96xf32>) outs(%o : memref<1x32x64xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  } {lhs_transposed, rhs_transposed}
  return
}

// A schedule that is there stays, whatever the table says; nothing is said.

// CHECK-LABEL: func.func @kept(
// CHECK:         schedule = #muon_gpu.schedule<m = 16, n = 48, k = 16, warps_m = 1, warps_n = 3, stages = 2, raster = 1, width = 1, masked = true>
// CHECK:         schedule = #muon_gpu.stream_schedule<threads = 64, width = 1, unroll = 3, chunk = 192>
func.func @kept(%a: memref<1x64x32xf32>, %b: memref<1x32x64xf32>, %o: memref<1x64x64xf32>) {
  muon_gpu.matmul lhs(%a : memref<1x64x32xf32>) rhs(%b : memref<1x32x64xf32>) outs(%o : memref<1x64x64xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  } {schedule = #muon_gpu.schedule<m = 16, n = 48, k = 16, warps_m = 1, warps_n = 3, stages = 2, raster = 1, width = 1, masked = true>}
  muon_gpu.stream ins(%o : memref<1x64x64xf32>) outs(%o : memref<1x64x64xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  } {schedule = #muon_gpu.stream_schedule<threads = 64, width = 1, unroll = 3, chunk = 192>}
  return
}
