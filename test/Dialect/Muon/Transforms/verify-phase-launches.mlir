// RUN: muon-opt --muon-verify-phase=phase=launches --split-input-file --verify-diagnostics %s

// Collectives stand between launches; a kernel can do neither them nor the wait.

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2)
func.func @fine(%a: memref<4xf64>, %b: memref<4xf64>, %x: memref<1x3x3xf32>, %t: memref<1x1x6xf32>) {
  muon.all_reduce value(%a : memref<4xf64>) out(%b : memref<4xf64>) {elements = array<i64: 4>, group = #muon.group<@grid, [0], 0 of 2>, handle = 0 : i64, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  muon_gpu.launch {
    muon.pack_triangle x(%x : memref<1x3x3xf32>) out(%t : memref<1x1x6xf32>)
  }
  muon.wait value(%a : memref<4xf64>) out(%b : memref<4xf64>) {handle = 0 : i64}
  muon_gpu.launch {
    muon.place value(%b : memref<4xf64>) out(%a : memref<4xf64>) {from = array<i64: 0>, to = array<i64: 0>, counts = array<i64: 4>}
  }
  return
}
}

// -----

// All else is work of one.

func.func @work(%a: memref<4xf64>, %b: memref<4xf64>, %x: memref<1x3x3xf32>, %t: memref<1x1x6xf32>, %y: memref<1x3x3xf32>) {
  // expected-error @+1 {{'muon.pack_triangle' op should have become part of a launch in phase 'launches'}}
  muon.pack_triangle x(%x : memref<1x3x3xf32>) out(%t : memref<1x1x6xf32>)
  // expected-error @+1 {{'muon.unpack_triangle' op should have become part of a launch in phase 'launches'}}
  muon.unpack_triangle x(%t : memref<1x1x6xf32>) out(%x : memref<1x3x3xf32>)
  // expected-error @+1 {{'muon.place' op should have become part of a launch in phase 'launches'}}
  muon.place value(%a : memref<4xf64>) out(%b : memref<4xf64>) {from = array<i64: 0>, to = array<i64: 0>, counts = array<i64: 4>}
  // expected-error @+1 {{'muon.assemble' op should have become part of a launch in phase 'launches'}}
  muon.assemble blocks(%y : memref<1x3x3xf32>) out(%x : memref<1x3x3xf32>) {row_offsets = array<i64: 0>, col_offsets = array<i64: 0>, rows = array<i64: 3>, cols = array<i64: 3>}
  return
}
