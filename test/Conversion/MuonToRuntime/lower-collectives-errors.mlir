// RUN: muon-opt --muon-lower-collectives --split-input-file --verify-diagnostics %s

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2)
func.func @tensors(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{'muon.all_reduce' op expected memrefs and tables; bufferize first}}
  %0 = muon.all_reduce value(%a : tensor<4xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  return %0 : tensor<4xf32>
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2)
func.func @nothing_started(%a: memref<4xf32>) {
  // expected-error @below {{'muon.wait' op expected a collective with handle 3 before it}}
  muon.wait out(%a : memref<4xf32>) {handle = 3 : i64}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2)
func.func @twice(%a: memref<4xf32>, %b: memref<4xf32>) {
  muon.all_reduce value(%a : memref<4xf32>) out(%b : memref<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>, handle = 0 : i64}
  // expected-error @below {{'muon.all_reduce' op expected a handle of its own, found 0}}
  muon.all_reduce value(%a : memref<4xf32>) out(%b : memref<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>, handle = 0 : i64}
  muon.wait value(%a : memref<4xf32>) out(%b : memref<4xf32>) {handle = 0 : i64}
  return
}
}
