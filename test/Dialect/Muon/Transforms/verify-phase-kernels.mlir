// RUN: muon-opt --muon-verify-phase=phase=kernels --verify-diagnostics %s

// Where the host only launches, collectives are starts and waits.

module attributes {muon.rank = 0 : i64, muon.collectives = []} {
shard.grid @grid(shape = 2)
func.func @collectives(%a: memref<4xf64>, %b: memref<4xf64>) {
  // expected-error @+1 {{'muon.all_reduce' op should have become part of a kernel in phase 'kernels'}}
  muon.all_reduce value(%a : memref<4xf64>) out(%b : memref<4xf64>) {elements = array<i64: 4>, group = #muon.group<@grid, [0], 0 of 2>, handle = 0 : i64, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  // expected-error @+1 {{'muon.wait' op should have become part of a kernel in phase 'kernels'}}
  muon.wait value(%a : memref<4xf64>) out(%b : memref<4xf64>) {handle = 0 : i64}
  muon.start_collective 0(%a, %b) : memref<4xf64>, memref<4xf64>
  muon.wait_collective 0
  return
}
}
