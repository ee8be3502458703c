// RUN: muon-opt %s | muon-opt | FileCheck %s
// RUN: muon-opt %s --mlir-print-op-generic | muon-opt | FileCheck %s
// RUN: muon-opt %s -o %t.mlir
// RUN: muon-opt %s --emit-bytecode | muon-opt | diff %t.mlir -

// CHECK-LABEL: module attributes {muon.plan = ["grid dp=2 tp=3", "w: own"], muon.rank = 4 : i64}
// CHECK: shard.grid @grid(shape = 2x3) {muon.axes = ["dp", "tp"]}
module attributes {muon.rank = 4 : i64, muon.plan = ["grid dp=2 tp=3", "w: own"]} {
shard.grid @grid(shape = 2x3) {muon.axes = ["dp", "tp"]}

// A tensor holds any number of segments, a stack one in each member.

// CHECK-LABEL: func.func @all_reduce(
// CHECK: %[[R:.+]]:2 = muon.all_reduce value(%{{.+}}, %{{.+}} : tensor<2x48x16xbf16>, tensor<3xbf16>) out(%{{.+}}, %{{.+}} : !muon.stack<2x48x16xbf16>, tensor<3xbf16>) {elements = array<i64: 768, 768, 1, 2>, group = #muon.group<@grid, [1], 1 of 3>, label = "gradients", receives = array<i64: 0, 1, 2, 3>, reduction = #muon.reduction<mean>, sends = array<i64: 1, 0, 3, 2>}
// CHECK-NEXT: return %[[R]]#0, %[[R]]#1
func.func @all_reduce(%a: tensor<2x48x16xbf16>, %b: tensor<3xbf16>, %c: !muon.stack<2x48x16xbf16>, %d: tensor<3xbf16>)
    -> (!muon.stack<2x48x16xbf16>, tensor<3xbf16>) {
  %0:2 = muon.all_reduce value(%a, %b : tensor<2x48x16xbf16>, tensor<3xbf16>) out(%c, %d : !muon.stack<2x48x16xbf16>, tensor<3xbf16>)
    {group = #muon.group<@grid, [1], 1 of 3>, elements = array<i64: 768, 768, 1, 2>, reduction = #muon.reduction<mean>,
     sends = array<i64: 1, 0, 3, 2>, receives = array<i64: 0, 1, 2, 3>, label = "gradients"}
  return %0#0, %0#1 : !muon.stack<2x48x16xbf16>, tensor<3xbf16>
}

// A rank that gets nothing still gives.

// CHECK-LABEL: func.func @reduce_scatter(
// CHECK: muon.reduce_scatter value(%{{.+}} : !muon.stack<2x4xf16>) {elements = array<i64: 4, 4>, group = #muon.group<@grid, [0], 1 of 2>, receives = array<i64>, reduction = #muon.reduction<sum>, sends = array<i64: 0, 1>, to = array<i64: 0, 0>}
// CHECK-NOT: =
// CHECK: return
func.func @reduce_scatter(%a: !muon.stack<2x4xf16>) {
  muon.reduce_scatter value(%a : !muon.stack<2x4xf16>)
    {group = #muon.group<@grid, [0], 1 of 2>, elements = array<i64: 4, 4>, to = array<i64: 0, 0>, reduction = #muon.reduction<sum>,
     sends = array<i64: 0, 1>, receives = array<i64>}
  return
}

// What is gathered may stay where it is, and may go elsewhere as well.

// CHECK-LABEL: func.func @all_gather(
// CHECK: muon.all_gather value(%{{.+}} : tensor<4xf64>) out(%{{.+}} : tensor<5xf64>) {elements = array<i64: 4, 5>, from = array<i64: 4, 0>, group = #muon.group<@grid, [0, 1], 4 of 6>, receives = array<i64: 1>, sends = array<i64: 0>}
// CHECK: muon.all_gather value(%{{.+}} : tensor<4xf64>) out(%{{.+}} : tensor<9xf64>) {{{.*}}receives = array<i64: 1, 0>
func.func @all_gather(%a: tensor<4xf64>, %b: tensor<5xf64>, %c: tensor<9xf64>) -> (tensor<5xf64>, tensor<9xf64>) {
  %0 = muon.all_gather value(%a : tensor<4xf64>) out(%b : tensor<5xf64>)
    {group = #muon.group<@grid, [0, 1], 4 of 6>, elements = array<i64: 4, 5>, from = array<i64: 4, 0>,
     sends = array<i64: 0>, receives = array<i64: 1>}
  %1 = muon.all_gather value(%a : tensor<4xf64>) out(%c : tensor<9xf64>)
    {group = #muon.group<@grid, [0, 1], 4 of 6>, elements = array<i64: 4, 5>, from = array<i64: 4, 0>,
     sends = array<i64: 0>, receives = array<i64: 1, 0>}
  return %0, %1 : tensor<5xf64>, tensor<9xf64>
}

// Axes in another order are another order of the ranks.

// CHECK-LABEL: func.func @broadcast(
// CHECK: muon.broadcast value(%{{.+}} : tensor<4xf32>) {elements = array<i64: 4>, group = #muon.group<@grid, [1, 0], 3 of 6>, receives = array<i64>, root = 3 : i64, sends = array<i64: 0>}
// CHECK: muon.broadcast out(%{{.+}} : tensor<4xf32>) {elements = array<i64: 4>, group = #muon.group<@grid, [1], 1 of 3>, receives = array<i64: 0>, root = 0 : i64, sends = array<i64>}
func.func @broadcast(%a: tensor<4xf32>) {
  muon.broadcast value(%a : tensor<4xf32>)
    {group = #muon.group<@grid, [1, 0], 3 of 6>, elements = array<i64: 4>, root = 3 : i64, sends = array<i64: 0>, receives = array<i64>}
  %0 = muon.broadcast out(%a : tensor<4xf32>)
    {group = #muon.group<@grid, [1], 1 of 3>, elements = array<i64: 4>, root = 0 : i64, sends = array<i64>, receives = array<i64: 0>}
  return
}

// A rank that only looks on says of what type the others' elements are.

// CHECK-LABEL: func.func @all_to_all(
// CHECK: muon.all_to_all value(%{{.+}} : tensor<1x2x2xf32>) out(%{{.+}} : tensor<3x1x2xf32>) {elements = array<i64: 4, 6>, from = array<i64: 1, 0>, group = #muon.group<@grid, [0], 1 of 2>, receives = array<i64: 1>, sends = array<i64: 0>, to = array<i64: 0, 1>}
// CHECK: muon.all_to_all {elements = array<i64: 4>, from = array<i64: 0>, group = #muon.group<@grid, [0], 1 of 2>, label = "X", receives = array<i64>, sends = array<i64>, to = array<i64: 0>, type = bf16}
func.func @all_to_all(%a: tensor<1x2x2xf32>, %b: tensor<3x1x2xf32>) -> tensor<3x1x2xf32> {
  %0 = muon.all_to_all value(%a : tensor<1x2x2xf32>) out(%b : tensor<3x1x2xf32>)
    {group = #muon.group<@grid, [0], 1 of 2>, elements = array<i64: 4, 6>, from = array<i64: 1, 0>, to = array<i64: 0, 1>,
     sends = array<i64: 0>, receives = array<i64: 1>}
  muon.all_to_all
    {group = #muon.group<@grid, [0], 1 of 2>, elements = array<i64: 4>, from = array<i64: 0>, to = array<i64: 0>,
     sends = array<i64>, receives = array<i64>, type = bf16, label = "X"}
  return %0 : tensor<3x1x2xf32>
}

// On buffers nothing is returned, and the start may be apart from the end.

// CHECK-LABEL: func.func @buffers(
// CHECK: muon.all_gather value(%{{.+}} : !muon.table<2x4xf32>) out(%{{.+}} : memref<4xf32>) {{{.*}}handle = 7 : i64
// CHECK-NEXT: muon.wait value(%{{.+}} : !muon.table<2x4xf32>) out(%{{.+}} : memref<4xf32>) {handle = 7 : i64}
func.func @buffers(%a: !muon.table<2x4xf32>, %b: memref<4xf32>) {
  muon.all_gather value(%a : !muon.table<2x4xf32>) out(%b : memref<4xf32>)
    {group = #muon.group<@grid, [0], 1 of 2>, elements = array<i64: 4, 4, 4>, from = array<i64: 1, 0, 1>,
     sends = array<i64: 0, 2>, receives = array<i64: 1>, handle = 7 : i64}
  muon.wait value(%a : !muon.table<2x4xf32>) out(%b : memref<4xf32>) {handle = 7 : i64}
  return
}

// CHECK-LABEL: func.func @place(
// CHECK: muon.place value(%{{.+}}, %{{.+}} : tensor<2xf64>, tensor<3xf64>) out(%{{.+}} : tensor<5xf64>) {counts = array<i64: 2, 1>, from = array<i64: 0, 2>, to = array<i64: 3, 0>}
// CHECK: muon.place out(%{{.+}} : tensor<5xf64>) {counts = array<i64>, from = array<i64>, to = array<i64>}
// CHECK: muon.place value(%{{.+}} : memref<2xf64>) out(%{{.+}} : memref<2xf64>)
func.func @place(%a: tensor<2xf64>, %b: tensor<3xf64>, %c: tensor<5xf64>, %m: memref<2xf64>, %n: memref<2xf64>) -> (tensor<5xf64>, tensor<5xf64>) {
  %0 = muon.place value(%a, %b : tensor<2xf64>, tensor<3xf64>) out(%c : tensor<5xf64>)
    {from = array<i64: 0, 2>, to = array<i64: 3, 0>, counts = array<i64: 2, 1>}
  %1 = muon.place out(%c : tensor<5xf64>) {from = array<i64>, to = array<i64>, counts = array<i64>}
  muon.place value(%m : memref<2xf64>) out(%n : memref<2xf64>) {from = array<i64: 0>, to = array<i64: 0>, counts = array<i64: 2>}
  return %0, %1 : tensor<5xf64>, tensor<5xf64>
}

// CHECK-LABEL: func.func @blocks(
// CHECK: muon.assemble blocks(%{{.+}} : tensor<2x4x5xbf16>) out(%{{.+}} : tensor<2x4x5xbf16>) {col_offsets = array<i64: 0, 3>, cols = array<i64: 3, 2>, row_offsets = array<i64: 0, 0>, rows = array<i64: 4, 4>}
// CHECK: muon.divide x(%{{.+}} : memref<2x4x5xf32>) blocks(%{{.+}} : memref<2x2x3xf32>) {col_offsets = array<i64: 1>, cols = array<i64: 3>, row_offsets = array<i64: 2>, rows = array<i64: 2>}
func.func @blocks(%a: tensor<2x4x5xbf16>, %b: tensor<2x4x5xbf16>, %x: memref<2x4x5xf32>, %y: memref<2x2x3xf32>) -> tensor<2x4x5xbf16> {
  %0 = muon.assemble blocks(%a : tensor<2x4x5xbf16>) out(%b : tensor<2x4x5xbf16>)
    {row_offsets = array<i64: 0, 0>, col_offsets = array<i64: 0, 3>, rows = array<i64: 4, 4>, cols = array<i64: 3, 2>}
  muon.divide x(%x : memref<2x4x5xf32>) blocks(%y : memref<2x2x3xf32>)
    {row_offsets = array<i64: 2>, col_offsets = array<i64: 1>, rows = array<i64: 2>, cols = array<i64: 3>}
  return %0 : tensor<2x4x5xbf16>
}

// CHECK-LABEL: func.func @triangles(
// CHECK: %[[T:.+]] = muon.pack_triangle x(%{{.+}} : tensor<2x3x3xf32>) out(%{{.+}} : tensor<2x1x6xf32>)
// CHECK: muon.unpack_triangle x(%[[T]] : tensor<2x1x6xf32>) out(%{{.+}} : tensor<2x3x3xf32>)
func.func @triangles(%x: tensor<2x3x3xf32>, %t: tensor<2x1x6xf32>, %y: tensor<2x3x3xf32>) -> tensor<2x3x3xf32> {
  %0 = muon.pack_triangle x(%x : tensor<2x3x3xf32>) out(%t : tensor<2x1x6xf32>)
  %1 = muon.unpack_triangle x(%0 : tensor<2x1x6xf32>) out(%y : tensor<2x3x3xf32>)
  return %1 : tensor<2x3x3xf32>
}

// CHECK-LABEL: func.func @calls(
// CHECK: muon.start_collective 3(%{{.+}}, %{{.+}}) : memref<1x16x16xf32>, !muon.table<2x48x16xf32>
// CHECK-NEXT: muon.wait_collective 3
func.func @calls(%a: memref<1x16x16xf32>, %b: !muon.table<2x48x16xf32>) {
  muon.start_collective 3(%a, %b) : memref<1x16x16xf32>, !muon.table<2x48x16xf32>
  muon.wait_collective 3
  return
}

// A gradient of a stack may be one tensor that holds the members.

// CHECK-LABEL: func.func @gradient(
// CHECK: muon.update gradient(%{{.+}} : tensor<2x8x4xf32>) {{.*}} weight(%{{.+}} : !muon.stack<2x8x4xf32>) {{.*}}exchange = #muon.exchange<gather, group = #muon.group<@grid, [1], 1 of 3>, sharding = #muon.sharding<{{\[\[}}1], []]>, shape = [24, 4], owners = []>
// CHECK: muon.adamw_update gradient(%{{.+}} : tensor<2x8x4xf32>)
// CHECK: muon.momentum gradient(%{{.+}} : tensor<2x8x4xf32>) {{.*}} momentum(%{{.+}} : !muon.stack<2x8x4xf32>)
// CHECK: muon.orthogonalize x({{.*}}group = #muon.group<@grid, [1], 1 of 3>
func.func @gradient(%g: tensor<2x8x4xf32>, %s: tensor<2xf64>, %u: tensor<2xf64>, %f: tensor<f32>, %t: tensor<i64>, %w: !muon.stack<2x8x4xf32>,
    %m: !muon.stack<2x8x4xf32>, %v: !muon.stack<2x8x4xf32>, %x: tensor<2x8x4xf32>, %o: tensor<2x8x4xf32>) {
  %0:2 = muon.update gradient(%g : tensor<2x8x4xf32>) gradient_sums(%s : tensor<2xf64>) momentum_sums(%s : tensor<2xf64>) lr(%f : tensor<f32>) weight_decay(%f : tensor<f32>) beta(%f : tensor<f32>) weight(%w : !muon.stack<2x8x4xf32>) momentum(%m : !muon.stack<2x8x4xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, exchange = #muon.exchange<gather, group = #muon.group<@grid, [1], 1 of 3>, sharding = #muon.sharding<[[1], []]>, shape = [24, 4], owners = []>}
  %1:3 = muon.adamw_update gradient(%g : tensor<2x8x4xf32>) lr(%f : tensor<f32>) weight_decay(%f : tensor<f32>) step(%t : tensor<i64>) weight(%w : !muon.stack<2x8x4xf32>) exp_avg(%m : !muon.stack<2x8x4xf32>) exp_avg_sq(%v : !muon.stack<2x8x4xf32>)
  %2:4 = muon.momentum gradient(%g : tensor<2x8x4xf32>) gradient_sums(%s : tensor<2xf64>) momentum_sums(%s : tensor<2xf64>) beta(%f : tensor<f32>) momentum(%m : !muon.stack<2x8x4xf32>) x(%x : tensor<2x8x4xf32>) sums(%s : tensor<2xf64>) unit(%u : tensor<2xf64>) {momentum_form = #muon.momentum_form<heavy_ball>, nesterov = true}
  %3 = muon.orthogonalize x(%x : tensor<2x8x4xf32>) out(%o : tensor<2x8x4xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, iteration = #muon.iteration<gram>, group = #muon.group<@grid, [1], 1 of 3>}
  return
}
}
