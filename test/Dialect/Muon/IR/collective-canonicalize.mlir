// RUN: muon-opt --canonicalize --cse --split-input-file %s | FileCheck %s

// A collective of nothing is nothing on all ranks.

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2)
// CHECK-LABEL: func.func @empty(
// CHECK-NEXT: return
func.func @empty() {
  muon.all_reduce {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64>, reduction = #muon.reduction<sum>, sends = array<i64>, receives = array<i64>, type = f32}
  muon.reduce_scatter {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64>, to = array<i64>, reduction = #muon.reduction<sum>, sends = array<i64>, receives = array<i64>, type = f32}
  muon.all_gather {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64>, from = array<i64>, sends = array<i64>, receives = array<i64>, type = f32}
  muon.broadcast {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64>, root = 0 : i64, sends = array<i64>, receives = array<i64>, type = f32}
  muon.all_to_all {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64>, from = array<i64>, to = array<i64>, sends = array<i64>, receives = array<i64>, type = f32}
  return
}
}

// -----

// Others wait for it: it stays where nobody uses its results, where it has none,
// and where it looks like another one.

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2)
// CHECK-LABEL: func.func @unused(
// CHECK-COUNT-2: muon.all_reduce
// CHECK-NEXT: muon.reduce_scatter value(
// CHECK-NEXT: muon.all_gather
// CHECK-NEXT: muon.broadcast
// CHECK-NEXT: muon.all_to_all
// CHECK-NEXT: return
func.func @unused(%a: tensor<4xf32>, %b: tensor<4xf32>) {
  %0 = muon.all_reduce value(%a : tensor<4xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  %1 = muon.all_reduce value(%a : tensor<4xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  muon.reduce_scatter value(%a : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, to = array<i64: 1>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64>}
  %2 = muon.all_gather value(%a : tensor<4xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4, 4>, from = array<i64: 0, 1>, sends = array<i64: 0>, receives = array<i64: 1>}
  %3 = muon.broadcast out(%b : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, root = 1 : i64, sends = array<i64>, receives = array<i64: 0>}
  muon.all_to_all {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, from = array<i64: 1>, to = array<i64: 1>, sends = array<i64>, receives = array<i64>, type = f32}
  return
}
}

// -----

// On buffers too, and their order stays.

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2)
// CHECK-LABEL: func.func @buffers(
// CHECK-NEXT: muon.broadcast
// CHECK-NEXT: muon.wait
// CHECK-NEXT: muon.start_collective
// CHECK-NEXT: muon.wait_collective
// CHECK-NEXT: return
func.func @buffers(%b: memref<4xf32>) {
  muon.broadcast out(%b : memref<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, root = 1 : i64, sends = array<i64>, receives = array<i64: 0>, handle = 0 : i64}
  muon.wait out(%b : memref<4xf32>) {handle = 0 : i64}
  muon.start_collective 0(%b) : memref<4xf32>
  muon.wait_collective 0
  return
}
}

// -----

// What is computed from its inputs alone goes if nobody needs it.

// CHECK-LABEL: func.func @local(
// CHECK-NEXT: return
func.func @local(%a: tensor<2xf64>, %b: tensor<1x4x5xf32>) {
  %0 = muon.place value(%a : tensor<2xf64>) out(%a : tensor<2xf64>) {from = array<i64: 0>, to = array<i64: 0>, counts = array<i64: 2>}
  %1 = muon.assemble blocks(%b : tensor<1x4x5xf32>) out(%b : tensor<1x4x5xf32>) {row_offsets = array<i64: 0>, col_offsets = array<i64: 0>, rows = array<i64: 4>, cols = array<i64: 5>}
  %2 = muon.divide x(%b : tensor<1x4x5xf32>) blocks(%b : tensor<1x4x5xf32>) {row_offsets = array<i64: 0>, col_offsets = array<i64: 0>, rows = array<i64: 4>, cols = array<i64: 5>}
  return
}
