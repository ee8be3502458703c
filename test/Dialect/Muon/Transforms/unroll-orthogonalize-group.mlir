// RUN: muon-opt --muon-unroll-orthogonalize --split-input-file %s | FileCheck %s

// Each Gram matrix of X is added up over the group, once in each segment: nothing
// else needs what other ranks have.

module attributes {muon.rank = 1 : i64} {
shard.grid @grid(shape = 2)
// CHECK-LABEL: func.func @segments(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<2x24x16xf32>
// CHECK: %[[GRAM:.+]] = muon.symmetric_product x(%[[X]] : tensor<2x24x16xf32>)
// A triangle of each moves: 136 of 256 elements.
// CHECK: %[[PACKED:.+]] = muon.pack_triangle x(%[[GRAM]] : tensor<2x16x16xf32>) out(%{{.+}} : tensor<2x1x136xf32>)
// CHECK: %[[SUM:.+]] = muon.all_reduce value(%[[PACKED]] : tensor<2x1x136xf32>) out(%{{.+}} : tensor<2x1x136xf32>) {elements = array<i64: 136, 136>, group = #muon.group<@grid, [0], 1 of 2>, label = "Gram", receives = array<i64: 0, 1>, reduction = #muon.reduction<sum>, sends = array<i64: 0, 1>}
// CHECK: %[[WHOLE:.+]] = muon.unpack_triangle x(%[[SUM]] : tensor<2x1x136xf32>) out(%{{.+}} : tensor<2x16x16xf32>)
// CHECK: muon.symmetric_product x(%[[WHOLE]] : tensor<2x16x16xf32>)
// CHECK-NOT: %[[GRAM]] :
// CHECK-NOT: muon.all_reduce
// CHECK: %[[X1:.+]] = muon.symmetric_apply {{.*}} x(%[[X]] : tensor<2x24x16xf32>)
// CHECK: %[[GRAM1:.+]] = muon.symmetric_product x(%[[X1]] : tensor<2x24x16xf32>)
// CHECK: muon.pack_triangle x(%[[GRAM1]] : tensor<2x16x16xf32>)
// CHECK: muon.all_reduce
// CHECK-NOT: muon.all_reduce
// CHECK: muon.symmetric_apply {{.*}} x(%[[X1]] : tensor<2x24x16xf32>)
// CHECK-NOT: muon.polynomial_step
func.func @segments(%x: tensor<2x24x16xf32>, %f: tensor<2xf32>, %o: tensor<2x24x16xf32>) -> tensor<2x24x16xf32> {
  %0 = muon.orthogonalize x(%x : tensor<2x24x16xf32>) factor(%f : tensor<2xf32>) out(%o : tensor<2x24x16xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, side = #muon.side<right>, iteration = #muon.iteration<gram>,
     restarts = array<i64: 2>, compute = #muon.compute<f32>, group = #muon.group<@grid, [0], 1 of 2>}
  return %0 : tensor<2x24x16xf32>
}
}

// -----

// A segment of one step too.

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2)
// CHECK-LABEL: func.func @single(
// CHECK-COUNT-2: muon.all_reduce
// CHECK-NOT: muon.all_reduce
// CHECK-NOT: muon.polynomial_step
// CHECK: return
func.func @single(%x: tensor<1x16x24xf32>, %o: tensor<1x16x24xf32>) -> tensor<1x16x24xf32> {
  %0 = muon.orthogonalize x(%x : tensor<1x16x24xf32>) out(%o : tensor<1x16x24xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 2 : i64, side = #muon.side<left>, iteration = #muon.iteration<gram>,
     restarts = array<i64: 1>, compute = #muon.compute<f32>, group = #muon.group<@grid, [0], 0 of 2>}
  return %0 : tensor<1x16x24xf32>
}
}
