// RUN: muon-opt --muon-gpu-select-schedules --split-input-file --remarks-filter=muon-gpu-select-schedules %s -o %t.mlir 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REMARK
// RUN: FileCheck %s --input-file=%t.mlir

// How many matrices a rank has must not decide how sums are added up: what is
// split where a step has one rank is not split in the step of a rank, alone on its
// grid or not.

// REMARK: [[#@LINE+5]]:3: remark: [Passed] Schedule | {{.*}} inner dimension in 8 parts: few tiles, and long sums"

// CHECK-LABEL: func.func @no_grid(
// CHECK:         split = 8>
func.func @no_grid(%x: memref<1x64x8192xf16>, %g: memref<1x64x64xf32>) {
  muon_gpu.matmul lhs(%x : memref<1x64x8192xf16>) rhs(%x : memref<1x64x8192xf16>) outs(%g : memref<1x64x64xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  } {rhs_transposed, symmetric}
  return
}

// -----

// REMARK: remark: [Passed] Schedule
// REMARK-SAME: few tiles: smaller ones keep more multiprocessors busy"
// REMARK-NOT: inner dimension

module attributes {muon.rank = 1 : i64} {
shard.grid @grid(shape = 2)
// CHECK-LABEL: func.func @rank_of_two(
// CHECK:         schedule = #muon_gpu.schedule<
// CHECK-NOT:     split
func.func @rank_of_two(%x: memref<1x64x8192xf16>, %g: memref<1x64x64xf32>) {
  muon_gpu.matmul lhs(%x : memref<1x64x8192xf16>) rhs(%x : memref<1x64x8192xf16>) outs(%g : memref<1x64x64xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  } {rhs_transposed, symmetric}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 1)
// CHECK-LABEL: func.func @alone(
// CHECK:         schedule = #muon_gpu.schedule<
// CHECK-NOT:     split
func.func @alone(%x: memref<1x64x8192xf16>, %g: memref<1x64x64xf32>) {
  muon_gpu.matmul lhs(%x : memref<1x64x8192xf16>) rhs(%x : memref<1x64x8192xf16>) outs(%g : memref<1x64x64xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  } {rhs_transposed, symmetric}
  return
}
}
