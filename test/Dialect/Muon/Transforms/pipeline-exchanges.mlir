// RUN: muon-opt --muon-pipeline-exchanges --split-input-file %s | FileCheck %s

// The second exchange, with what it sends, goes before the work on what came by
// the first, and the third before the work on what came by the second.

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2)
// CHECK-LABEL: func.func @own(
// CHECK: %[[B0:.+]] = muon.divide x(
// CHECK: %[[X0:.+]] = muon.all_to_all value(%[[B0]] : {{.*}}label = "X"
// CHECK: %[[B1:.+]] = muon.divide x(
// CHECK: %[[X1:.+]] = muon.all_to_all value(%[[B1]] : {{.*}}label = "X"
// CHECK: %[[O0:.+]] = muon.orthogonalize x(%[[X0]] :
// CHECK: muon.all_to_all value(%[[O0]] : {{.*}}label = "O"
// CHECK: %[[B2:.+]] = muon.divide x(
// CHECK: %[[X2:.+]] = muon.all_to_all value(%[[B2]] : {{.*}}label = "X"
// CHECK: %[[O1:.+]] = muon.orthogonalize x(%[[X1]] :
// CHECK: muon.all_to_all value(%[[O1]] : {{.*}}label = "O"
// CHECK: muon.orthogonalize x(%[[X2]] :
func.func @own(%a: tensor<1x8x4xf32>, %b: tensor<1x8x4xf32>, %c: tensor<1x8x4xf32>) -> (tensor<1x4x4xf32>, tensor<1x4x4xf32>, tensor<1x4x4xf32>) {
  %e0 = tensor.empty() : tensor<1x4x4xf32>
  %b0 = muon.divide x(%a : tensor<1x8x4xf32>) blocks(%e0 : tensor<1x4x4xf32>) {row_offsets = array<i64: 0>, col_offsets = array<i64: 0>, rows = array<i64: 4>, cols = array<i64: 4>}
  %f0 = tensor.empty() : tensor<1x8x4xf32>
  %x0 = muon.all_to_all value(%b0 : tensor<1x4x4xf32>) out(%f0 : tensor<1x8x4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 16, 16>, from = array<i64: 0, 1>, to = array<i64: 0, 0>, sends = array<i64: 0>, receives = array<i64: 0, 1>, label = "X"}
  %g0 = tensor.empty() : tensor<1x8x4xf32>
  %o0 = muon.orthogonalize x(%x0 : tensor<1x8x4xf32>) out(%g0 : tensor<1x8x4xf32>) {schedule = #muon.schedule<you>, steps = 2 : i64}
  %r0 = muon.all_to_all value(%o0 : tensor<1x8x4xf32>) out(%e0 : tensor<1x4x4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 16, 16>, from = array<i64: 0, 0>, to = array<i64: 0, 1>, sends = array<i64: 0, 1>, receives = array<i64: 0>, label = "O"}
  %e1 = tensor.empty() : tensor<1x4x4xf32>
  %b1 = muon.divide x(%b : tensor<1x8x4xf32>) blocks(%e1 : tensor<1x4x4xf32>) {row_offsets = array<i64: 0>, col_offsets = array<i64: 0>, rows = array<i64: 4>, cols = array<i64: 4>}
  %f1 = tensor.empty() : tensor<1x8x4xf32>
  %x1 = muon.all_to_all value(%b1 : tensor<1x4x4xf32>) out(%f1 : tensor<1x8x4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 16, 16>, from = array<i64: 0, 1>, to = array<i64: 0, 0>, sends = array<i64: 0>, receives = array<i64: 0, 1>, label = "X"}
  %g1 = tensor.empty() : tensor<1x8x4xf32>
  %o1 = muon.orthogonalize x(%x1 : tensor<1x8x4xf32>) out(%g1 : tensor<1x8x4xf32>) {schedule = #muon.schedule<you>, steps = 2 : i64}
  %r1 = muon.all_to_all value(%o1 : tensor<1x8x4xf32>) out(%e1 : tensor<1x4x4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 16, 16>, from = array<i64: 0, 0>, to = array<i64: 0, 1>, sends = array<i64: 0, 1>, receives = array<i64: 0>, label = "O"}
  %e2 = tensor.empty() : tensor<1x4x4xf32>
  %b2 = muon.divide x(%c : tensor<1x8x4xf32>) blocks(%e2 : tensor<1x4x4xf32>) {row_offsets = array<i64: 0>, col_offsets = array<i64: 0>, rows = array<i64: 4>, cols = array<i64: 4>}
  %f2 = tensor.empty() : tensor<1x8x4xf32>
  %x2 = muon.all_to_all value(%b2 : tensor<1x4x4xf32>) out(%f2 : tensor<1x8x4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 16, 16>, from = array<i64: 0, 1>, to = array<i64: 0, 0>, sends = array<i64: 0>, receives = array<i64: 0, 1>, label = "X"}
  %g2 = tensor.empty() : tensor<1x8x4xf32>
  %o2 = muon.orthogonalize x(%x2 : tensor<1x8x4xf32>) out(%g2 : tensor<1x8x4xf32>) {schedule = #muon.schedule<you>, steps = 2 : i64}
  %r2 = muon.all_to_all value(%o2 : tensor<1x8x4xf32>) out(%e2 : tensor<1x4x4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 16, 16>, from = array<i64: 0, 0>, to = array<i64: 0, 1>, sends = array<i64: 0, 1>, receives = array<i64: 0>, label = "O"}
  return %r0, %r1, %r2 : tensor<1x4x4xf32>, tensor<1x4x4xf32>, tensor<1x4x4xf32>
}
}

// -----

// A rank that owns nothing of the first starts the second before it waits for the
// results of the first, as others do.

module attributes {muon.rank = 1 : i64} {
shard.grid @grid(shape = 2)
// CHECK-LABEL: func.func @owns_nothing(
// CHECK: muon.all_to_all value({{.*}}label = "X"
// CHECK: muon.all_to_all value({{.*}}label = "X"
// CHECK: muon.all_to_all out({{.*}}label = "O"
// CHECK: muon.all_to_all out({{.*}}label = "O"
func.func @owns_nothing(%a: tensor<1x4x4xf32>, %b: tensor<1x4x4xf32>, %c: tensor<1x4x4xf32>, %d: tensor<1x4x4xf32>) -> (tensor<1x4x4xf32>, tensor<1x4x4xf32>) {
  muon.all_to_all value(%a : tensor<1x4x4xf32>) {group = #muon.group<@grid, [0], 1 of 2>, elements = array<i64: 16, 16>, from = array<i64: 0, 1>, to = array<i64: 0, 0>, sends = array<i64: 1>, receives = array<i64>, label = "X"}
  %r0 = muon.all_to_all out(%c : tensor<1x4x4xf32>) {group = #muon.group<@grid, [0], 1 of 2>, elements = array<i64: 16, 16>, from = array<i64: 0, 0>, to = array<i64: 0, 1>, sends = array<i64>, receives = array<i64: 1>, label = "O"}
  muon.all_to_all value(%b : tensor<1x4x4xf32>) {group = #muon.group<@grid, [0], 1 of 2>, elements = array<i64: 16, 16>, from = array<i64: 0, 1>, to = array<i64: 0, 0>, sends = array<i64: 1>, receives = array<i64>, label = "X"}
  %r1 = muon.all_to_all out(%d : tensor<1x4x4xf32>) {group = #muon.group<@grid, [0], 1 of 2>, elements = array<i64: 16, 16>, from = array<i64: 0, 0>, to = array<i64: 0, 1>, sends = array<i64>, receives = array<i64: 1>, label = "O"}
  return %r0, %r1 : tensor<1x4x4xf32>, tensor<1x4x4xf32>
}
}

// -----

// What comes of the first cannot go before it.

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2)
// CHECK-LABEL: func.func @depends(
// CHECK: %[[X0:.+]] = muon.all_gather {{.*}}label = "X"
// CHECK: %[[O:.+]] = muon.orthogonalize x(%[[X0]] :
// CHECK: muon.all_gather value(%[[O]] : {{.*}}label = "X"
func.func @depends(%a: tensor<1x8x4xf32>, %b: tensor<1x16x4xf32>, %c: tensor<1x32x4xf32>) -> tensor<1x32x4xf32> {
  %x0 = muon.all_gather value(%a : tensor<1x8x4xf32>) out(%b : tensor<1x16x4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 32, 32>, from = array<i64: 0, 1>, sends = array<i64: 0>, receives = array<i64: 0, 1>, label = "X"}
  %e = tensor.empty() : tensor<1x16x4xf32>
  %o = muon.orthogonalize x(%x0 : tensor<1x16x4xf32>) out(%e : tensor<1x16x4xf32>) {schedule = #muon.schedule<you>, steps = 2 : i64}
  %x1 = muon.all_gather value(%o : tensor<1x16x4xf32>) out(%c : tensor<1x32x4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 64, 64>, from = array<i64: 0, 1>, sends = array<i64: 0>, receives = array<i64: 0, 1>, label = "X"}
  return %x1 : tensor<1x32x4xf32>
}
}
