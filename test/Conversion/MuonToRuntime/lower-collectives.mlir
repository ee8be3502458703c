// RUN: muon-opt --muon-lower-collectives --split-input-file %s | FileCheck %s

// A collective of its own is a start and a wait; with a handle, the wait is where
// muon.wait is. What the runtime needs to know is on the module: ranks of the
// group, and what each operand holds.

// CHECK: module attributes {muon.collectives = [
// CHECK-SAME: {elements = array<i64: 16, 16, 32>, from = array<i64: -1, -1, -1>, group = array<i64: 1, 3>, kind = "reduce_scatter", name = "gradients 0", receive = [{segments = array<i64: 0, 2>, table = false}], reduction = "mean", send = [{segments = array<i64: 0, 1>, table = true}, {segments = array<i64: 2>, table = false}], to = array<i64: 1, 0, 1>, type = "bf16"},
// CHECK-SAME: {elements = array<i64: 4>, from = array<i64: -1>, group = array<i64: 0, 1, 2, 3>, kind = "all_reduce", name = "all_reduce 0", receive = [{segments = array<i64: 0>, table = false}], reduction = "sum", send = [{segments = array<i64: 0>, table = false}], to = array<i64: -1>, type = "f64"},
// CHECK-SAME: {elements = array<i64: 8>, from = array<i64: 0>, group = array<i64: 2, 3>, kind = "all_gather", name = "all_gather 0", receive = [{segments = array<i64: 0>, table = false}], send = [], to = array<i64: -1>, type = "f32"},
// CHECK-SAME: {elements = array<i64: 8, 8>, from = array<i64: 0, 1>, group = array<i64: 2, 3>, kind = "all_to_all", name = "X 1", receive = [{segments = array<i64: 1>, table = false}], send = [{segments = array<i64: 1>, table = false}], to = array<i64: 0, 1>, type = "f32"},
// CHECK-SAME: {elements = array<i64: 8>, from = array<i64: 0>, group = array<i64: 2, 3>, kind = "all_to_all", name = "O 2", receive = [], send = [], to = array<i64: 0>, type = "f16"}], muon.rank = 3 : i64}
module attributes {muon.rank = 3 : i64} {
shard.grid @grid(shape = 2x2)
// CHECK-LABEL: func.func @step(
// CHECK-SAME: %[[T:[a-z0-9]+]]: !muon.table<2x16xbf16>, %[[B:[a-z0-9]+]]: memref<32xbf16>, %[[O:[a-z0-9]+]]: memref<48xbf16>,
// CHECK-SAME: %[[D:[a-z0-9]+]]: memref<4xf64>, %[[E:[a-z0-9]+]]: memref<4xf64>, %[[F:[a-z0-9]+]]: memref<8xf32>, %[[G:[a-z0-9]+]]: memref<8xf32>)
// CHECK-NEXT: muon.start_collective 0(%[[T]], %[[B]], %[[O]]) : !muon.table<2x16xbf16>, memref<32xbf16>, memref<48xbf16>
// CHECK-NEXT: muon.start_collective 1(%[[D]], %[[E]])
// CHECK-NEXT: muon.wait_collective 1
// CHECK-NEXT: muon.wait_collective 0
// CHECK-NEXT: muon.start_collective 2(%[[F]])
// CHECK-NEXT: muon.wait_collective 2
// CHECK-NEXT: muon.start_collective 3(%[[F]], %[[G]])
// CHECK-NEXT: muon.wait_collective 3
// CHECK-NEXT: muon.start_collective 4()
// CHECK-NEXT: muon.wait_collective 4
// CHECK-NEXT: return
func.func @step(%t: !muon.table<2x16xbf16>, %b: memref<32xbf16>, %o: memref<48xbf16>, %d: memref<4xf64>, %e: memref<4xf64>, %f: memref<8xf32>, %g: memref<8xf32>) {
  muon.reduce_scatter value(%t, %b : !muon.table<2x16xbf16>, memref<32xbf16>) out(%o : memref<48xbf16>) {group = #muon.group<@grid, [0], 1 of 2>, elements = array<i64: 16, 16, 32>, to = array<i64: 1, 0, 1>, reduction = #muon.reduction<mean>, sends = array<i64: 0, 1, 2>, receives = array<i64: 0, 2>, label = "gradients", handle = 9 : i64}
  muon.all_reduce value(%d : memref<4xf64>) out(%e : memref<4xf64>) {group = #muon.group<@grid, [0, 1], 3 of 4>, elements = array<i64: 4>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  muon.wait value(%t, %b : !muon.table<2x16xbf16>, memref<32xbf16>) out(%o : memref<48xbf16>) {handle = 9 : i64}
  muon.broadcast out(%f : memref<8xf32>) {group = #muon.group<@grid, [1], 1 of 2>, elements = array<i64: 8>, root = 0 : i64, sends = array<i64>, receives = array<i64: 0>}
  muon.all_to_all value(%f : memref<8xf32>) out(%g : memref<8xf32>) {group = #muon.group<@grid, [1], 1 of 2>, elements = array<i64: 8, 8>, from = array<i64: 0, 1>, to = array<i64: 0, 1>, sends = array<i64: 1>, receives = array<i64: 1>, label = "X"}
  muon.all_to_all {group = #muon.group<@grid, [1], 1 of 2>, elements = array<i64: 8>, from = array<i64: 0>, to = array<i64: 0>, sends = array<i64>, receives = array<i64>, label = "O", type = f16}
  return
}
}

// -----

// A group of axes in another order has its ranks in another order.

// CHECK: group = array<i64: 0, 3, 1, 4, 2, 5>
module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x3)
func.func @step(%d: memref<4xf64>, %e: memref<4xf64>) {
  muon.all_reduce value(%d : memref<4xf64>) out(%e : memref<4xf64>) {group = #muon.group<@grid, [1, 0], 0 of 6>, elements = array<i64: 4>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  return
}
}

// -----

// Where there are none, nothing is said.

// CHECK: module {
// CHECK-NOT: muon.collectives
func.func @step() { return }
