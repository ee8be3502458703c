// RUN: muon-opt --muon-decompose-updates --split-input-file %s | FileCheck %s

// Matrices come to their owners as rows, which one after the other are the matrix;
// sums of squares are of whole matrices, and the result goes back. The scale is that
// of a whole matrix: 0.2 · √49.

// CHECK-LABEL: func.func @step(
// CHECK: %[[MOM:.+]]:4 = muon.momentum {{.*}} x(%{{.+}} : tensor<2x24x16xf32>)
// CHECK: %[[X:.+]] = muon.all_to_all value(%[[MOM]]#1 : tensor<2x24x16xf32>) out(%{{.+}} : tensor<1x49x16xf32>) {elements = array<i64: 400, 384, 400, 384>, from = array<i64: 0, 1, 0, 1>, group = #muon.group<@grid, [1], 1 of 2>, label = "X", receives = array<i64: 2, 3>, sends = array<i64: 1, 3>, to = array<i64: 0, 0, 1, 1>
// CHECK-NOT: muon.assemble
// CHECK: %[[S:.+]] = muon.sum_squares value(%[[X]] : tensor<1x49x16xf32>)
// Its own of the powers of two.
// CHECK: %[[U:.+]] = muon.place value(%[[MOM]]#3 : tensor<2xf64>) out(%{{.+}} : tensor<1xf64>) {counts = array<i64: 1>, from = array<i64: 1>, to = array<i64: 0>}
// CHECK: %[[F:.+]] = muon.normalize sums(%[[S]] : tensor<1xf64>) unit(%[[U]] : tensor<1xf64>)
// CHECK: %[[O:.+]] = muon.orthogonalize x(%[[X]] : tensor<1x49x16xf32>) factor(%[[F]] : tensor<1xf32>) out(%{{.+}} : tensor<1x49x16xf32>)
// CHECK-NOT: muon.divide
// CHECK: %[[B:.+]] = muon.all_to_all value(%[[O]] : tensor<1x49x16xf32>) out(%{{.+}} : tensor<2x24x16xf32>) {elements = array<i64: 400, 384, 400, 384>, from = array<i64: 0, 0, 1, 1>, group = #muon.group<@grid, [1], 1 of 2>, label = "O", receives = array<i64: 1, 3>, sends = array<i64: 2, 3>, to = array<i64: 0, 1, 0, 1>
// CHECK: %[[NEW:.+]] = muon.apply x(%[[B]] : tensor<2x24x16xf32>)
// CHECK-SAME: scale = 1.4000000000000001 : f64
// CHECK: return %[[NEW]], %[[MOM]]#0
module attributes {muon.rank = 1 : i64} {
shard.grid @grid(shape = 2x2)
func.func @step(%g: !muon.stack<2x24x16xf32>, %gs: tensor<2xf64>, %ms: tensor<2xf64>, %f: tensor<f32>, %w: !muon.stack<2x24x16xf32>, %m: !muon.stack<2x24x16xf32>) -> (!muon.stack<2x24x16xf32>, !muon.stack<2x24x16xf32>) {
  %0:2 = muon.update gradient(%g : !muon.stack<2x24x16xf32>) gradient_sums(%gs : tensor<2xf64>) momentum_sums(%ms : tensor<2xf64>) lr(%f : tensor<f32>) weight_decay(%f : tensor<f32>) beta(%f : tensor<f32>) weight(%w : !muon.stack<2x24x16xf32>) momentum(%m : !muon.stack<2x24x16xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, iteration = #muon.iteration<direct>, side = #muon.side<right>, compute = #muon.compute<f32>, scale = #muon.scale<match_rms_adamw>, exchange = #muon.exchange<own, group = #muon.group<@grid, [1], 1 of 2>, sharding = #muon.sharding<[[1], []]>, shape = [49, 16], owners = [0, 1]>}
  return %0#0, %0#1 : !muon.stack<2x24x16xf32>, !muon.stack<2x24x16xf32>
}
}

// -----

// A rank that owns none sends and gets back, and orthogonalizes nothing.

// CHECK-LABEL: func.func @step(
// CHECK: %[[MOM:.+]]:4 = muon.momentum
// CHECK: muon.all_to_all value(%[[MOM]]#1 : tensor<2x24x16xf32>) {{{.*}}receives = array<i64>, sends = array<i64: 1, 3>, to = array<i64: 0, 0, 0, 0>
// CHECK-NOT: muon.orthogonalize
// CHECK-NOT: muon.normalize
// CHECK: %[[B:.+]] = muon.all_to_all out(%{{.+}} : tensor<2x24x16xf32>) {{{.*}}from = array<i64: 0, 0, 0, 0>, {{.*}}sends = array<i64>
// CHECK: muon.apply x(%[[B]] : tensor<2x24x16xf32>)
module attributes {muon.rank = 1 : i64} {
shard.grid @grid(shape = 2x2)
func.func @step(%g: !muon.stack<2x24x16xf32>, %gs: tensor<2xf64>, %ms: tensor<2xf64>, %f: tensor<f32>, %w: !muon.stack<2x24x16xf32>, %m: !muon.stack<2x24x16xf32>) -> (!muon.stack<2x24x16xf32>, !muon.stack<2x24x16xf32>) {
  %0:2 = muon.update gradient(%g : !muon.stack<2x24x16xf32>) gradient_sums(%gs : tensor<2xf64>) momentum_sums(%ms : tensor<2xf64>) lr(%f : tensor<f32>) weight_decay(%f : tensor<f32>) beta(%f : tensor<f32>) weight(%w : !muon.stack<2x24x16xf32>) momentum(%m : !muon.stack<2x24x16xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, iteration = #muon.iteration<direct>, side = #muon.side<right>, compute = #muon.compute<f32>, scale = #muon.scale<match_rms_adamw>, exchange = #muon.exchange<own, group = #muon.group<@grid, [1], 1 of 2>, sharding = #muon.sharding<[[1], []]>, shape = [49, 16], owners = [0, 0]>}
  return %0#0, %0#1 : !muon.stack<2x24x16xf32>, !muon.stack<2x24x16xf32>
}
}

// -----

// What is exchanged has the type of the products, there and back.

// CHECK-LABEL: func.func @step(
// CHECK: muon.all_to_all value(%{{.+}} : tensor<2x24x16xbf16>) out(%{{.+}} : tensor<1x48x16xbf16>)
// CHECK: muon.orthogonalize x(%{{.+}} : tensor<1x48x16xbf16>) {{.*}} out(%{{.+}} : tensor<1x48x16xbf16>)
// CHECK: %[[B:.+]] = muon.all_to_all value(%{{.+}} : tensor<1x48x16xbf16>) out(%{{.+}} : tensor<2x24x16xbf16>)
// CHECK: muon.apply x(%[[B]] : tensor<2x24x16xbf16>)
module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @step(%g: !muon.stack<2x24x16xf32>, %gs: tensor<2xf64>, %ms: tensor<2xf64>, %f: tensor<f32>, %w: !muon.stack<2x24x16xf32>, %m: !muon.stack<2x24x16xf32>) -> (!muon.stack<2x24x16xf32>, !muon.stack<2x24x16xf32>) {
  %0:2 = muon.update gradient(%g : !muon.stack<2x24x16xf32>) gradient_sums(%gs : tensor<2xf64>) momentum_sums(%ms : tensor<2xf64>) lr(%f : tensor<f32>) weight_decay(%f : tensor<f32>) beta(%f : tensor<f32>) weight(%w : !muon.stack<2x24x16xf32>) momentum(%m : !muon.stack<2x24x16xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, iteration = #muon.iteration<direct>, side = #muon.side<right>, compute = #muon.compute<bf16>, exchange = #muon.exchange<own, group = #muon.group<@grid, [1], 0 of 2>, sharding = #muon.sharding<[[1], []]>, shape = [48, 16], owners = [0, 1]>}
  return %0#0, %0#1 : !muon.stack<2x24x16xf32>, !muon.stack<2x24x16xf32>
}
}

// -----

// Columns are put together where they arrive, and taken apart before they go; the
// result of who gathers is not rounded.

// CHECK-LABEL: func.func @step(
// CHECK: %[[MOM:.+]]:4 = muon.momentum {{.*}} x(%{{.+}} : tensor<2x16x32xbf16>)
// CHECK: %[[BLOCKS:.+]] = muon.all_gather value(%[[MOM]]#1 : tensor<2x16x32xbf16>) out(%{{.+}} : tensor<2x16x64xbf16>) {elements = array<i64: 512, 512, 512, 512>, from = array<i64: 0, 1, 0, 1>, group = #muon.group<@grid, [1], 0 of 2>, label = "X", receives = array<i64: 0, 1, 2, 3>, sends = array<i64: 0, 2>, type = bf16}
// CHECK: %[[X:.+]] = muon.assemble blocks(%[[BLOCKS]] : tensor<2x16x64xbf16>) out(%{{.+}} : tensor<2x16x64xbf16>) {col_offsets = array<i64: 0, 32>, cols = array<i64: 32, 32>, row_offsets = array<i64: 0, 0>, rows = array<i64: 16, 16>}
// CHECK: %[[S:.+]] = muon.sum_squares value(%[[X]] : tensor<2x16x64xbf16>)
// CHECK: %[[F:.+]] = muon.normalize sums(%[[S]] : tensor<2xf64>) unit(%[[MOM]]#3 : tensor<2xf64>)
// CHECK: %[[O:.+]] = muon.orthogonalize x(%[[X]] : tensor<2x16x64xbf16>) factor(%[[F]] : tensor<2xf32>) out(%{{.+}} : tensor<2x16x64xf32>)
// CHECK: %[[B:.+]] = muon.divide x(%[[O]] : tensor<2x16x64xf32>) blocks(%{{.+}} : tensor<2x16x32xf32>) {col_offsets = array<i64: 0>, cols = array<i64: 32>, row_offsets = array<i64: 0>, rows = array<i64: 16>}
// CHECK-NOT: muon.all_
// CHECK: muon.apply x(%[[B]] : tensor<2x16x32xf32>)
module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @step(%g: !muon.stack<2x16x32xf32>, %gs: tensor<2xf64>, %ms: tensor<2xf64>, %f: tensor<f32>, %w: !muon.stack<2x16x32xf32>, %m: !muon.stack<2x16x32xf32>) -> (!muon.stack<2x16x32xf32>, !muon.stack<2x16x32xf32>) {
  %0:2 = muon.update gradient(%g : !muon.stack<2x16x32xf32>) gradient_sums(%gs : tensor<2xf64>) momentum_sums(%ms : tensor<2xf64>) lr(%f : tensor<f32>) weight_decay(%f : tensor<f32>) beta(%f : tensor<f32>) weight(%w : !muon.stack<2x16x32xf32>) momentum(%m : !muon.stack<2x16x32xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, iteration = #muon.iteration<direct>, side = #muon.side<left>, compute = #muon.compute<bf16>, exchange = #muon.exchange<gather, group = #muon.group<@grid, [1], 0 of 2>, sharding = #muon.sharding<[[], [1]]>, shape = [16, 64], owners = []>}
  return %0#0, %0#1 : !muon.stack<2x16x32xf32>, !muon.stack<2x16x32xf32>
}
}

// -----

// Both dimensions are split, one along each axis: four blocks, of 3 and 2 rows, 4 and 3
// columns.

// CHECK-LABEL: func.func @step(
// CHECK: muon.all_to_all value(%{{.+}} : tensor<1x2x4xf32>) out(%{{.+}} : tensor<1x5x7xf32>) {elements = array<i64: 12, 9, 8, 6>, from = array<i64: 0, 1, 2, 3>, group = #muon.group<@grid, [0, 1], 2 of 4>, {{.*}}receives = array<i64: 0, 1, 2, 3>, sends = array<i64: 2>, to = array<i64: 2, 2, 2, 2>
// CHECK: muon.assemble {{.*}} {col_offsets = array<i64: 0, 4, 0, 4>, cols = array<i64: 4, 3, 4, 3>, row_offsets = array<i64: 0, 0, 3, 3>, rows = array<i64: 3, 3, 2, 2>}
// CHECK: %[[D:.+]] = muon.divide x(%{{.+}} : tensor<1x5x7xf32>) blocks(%{{.+}} : tensor<1x5x7xf32>) {col_offsets = array<i64: 0, 4, 0, 4>, cols = array<i64: 4, 3, 4, 3>, row_offsets = array<i64: 0, 0, 3, 3>, rows = array<i64: 3, 3, 2, 2>}
// CHECK: muon.all_to_all value(%[[D]] : tensor<1x5x7xf32>) out(%{{.+}} : tensor<1x2x4xf32>) {elements = array<i64: 12, 9, 8, 6>, from = array<i64: 2, 2, 2, 2>, {{.*}}receives = array<i64: 2>, sends = array<i64: 0, 1, 2, 3>, to = array<i64: 0, 1, 2, 3>
module attributes {muon.rank = 2 : i64} {
shard.grid @grid(shape = 2x2)
func.func @step(%g: tensor<2x4xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>, %f: tensor<f32>, %w: tensor<2x4xf32>, %m: tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>) {
  %0:2 = muon.update gradient(%g : tensor<2x4xf32>) gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>) lr(%f : tensor<f32>) weight_decay(%f : tensor<f32>) beta(%f : tensor<f32>) weight(%w : tensor<2x4xf32>) momentum(%m : tensor<2x4xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, iteration = #muon.iteration<direct>, side = #muon.side<right>, compute = #muon.compute<f32>, scale = #muon.scale<match_rms_adamw>, exchange = #muon.exchange<own, group = #muon.group<@grid, [0, 1], 2 of 4>, sharding = #muon.sharding<[[0], [1]]>, shape = [5, 7], owners = [2]>}
  return %0#0, %0#1 : tensor<2x4xf32>, tensor<2x4xf32>
}
}

// -----

// One dimension along both axes, the second outermost: the block of place (0, 1) is the
// third. A rank without a row sends nothing.

// CHECK-LABEL: func.func @step(
// CHECK: muon.all_gather value(%{{.+}} : tensor<1x1x7xf32>) out(%{{.+}} : tensor<1x3x7xf32>) {elements = array<i64: 7, 7, 7>, from = array<i64: 0, 1, 2>, group = #muon.group<@grid, [0, 1], 1 of 4>, {{.*}}sends = array<i64: 1>
// CHECK: muon.assemble {{.*}}row_offsets = array<i64: 0, 2, 1>, rows = array<i64: 1, 1, 1>
// CHECK: muon.divide {{.*}}row_offsets = array<i64: 2>, rows = array<i64: 1>
module attributes {muon.rank = 1 : i64} {
shard.grid @grid(shape = 2x2)
func.func @step(%g: tensor<1x7xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>, %f: tensor<f32>, %w: tensor<1x7xf32>, %m: tensor<1x7xf32>) -> (tensor<1x7xf32>, tensor<1x7xf32>) {
  %0:2 = muon.update gradient(%g : tensor<1x7xf32>) gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>) lr(%f : tensor<f32>) weight_decay(%f : tensor<f32>) beta(%f : tensor<f32>) weight(%w : tensor<1x7xf32>) momentum(%m : tensor<1x7xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, iteration = #muon.iteration<direct>, side = #muon.side<right>, compute = #muon.compute<f32>, scale = #muon.scale<match_rms_adamw>, exchange = #muon.exchange<gather, group = #muon.group<@grid, [0, 1], 1 of 4>, sharding = #muon.sharding<[[1, 0], []]>, shape = [3, 7], owners = []>}
  return %0#0, %0#1 : tensor<1x7xf32>, tensor<1x7xf32>
}
}

// -----

// Blocks stay where they are: the iteration has the group, and norms are those of whole
// matrices.

// CHECK-LABEL: func.func @step(
// CHECK: %[[MOM:.+]]:4 = muon.momentum
// CHECK: %[[S:.+]] = muon.all_reduce value(%[[MOM]]#2 : tensor<2xf64>) out(%{{.+}} : tensor<2xf64>) {elements = array<i64: 2>, group = #muon.group<@grid, [1], 1 of 2>, label = "norms", receives = array<i64: 0>, reduction = #muon.reduction<sum>, sends = array<i64: 0>}
// CHECK: %[[F:.+]] = muon.normalize sums(%[[S]] : tensor<2xf64>) unit(%[[MOM]]#3 : tensor<2xf64>)
// CHECK: %[[O:.+]] = muon.orthogonalize x(%[[MOM]]#1 : tensor<2x24x16xf32>) factor(%[[F]] : tensor<2xf32>) out(%{{.+}} : tensor<2x24x16xf32>) {{{.*}}group = #muon.group<@grid, [1], 1 of 2>
// CHECK-NOT: muon.all_
// CHECK: muon.apply x(%[[O]] : tensor<2x24x16xf32>) {{.*}}scale = 1.3856406460551018 : f64
module attributes {muon.rank = 1 : i64} {
shard.grid @grid(shape = 2x2)
func.func @step(%g: !muon.stack<2x24x16xf32>, %gs: tensor<2xf64>, %ms: tensor<2xf64>, %f: tensor<f32>, %w: !muon.stack<2x24x16xf32>, %m: !muon.stack<2x24x16xf32>) -> (!muon.stack<2x24x16xf32>, !muon.stack<2x24x16xf32>) {
  %0:2 = muon.update gradient(%g : !muon.stack<2x24x16xf32>) gradient_sums(%gs : tensor<2xf64>) momentum_sums(%ms : tensor<2xf64>) lr(%f : tensor<f32>) weight_decay(%f : tensor<f32>) beta(%f : tensor<f32>) weight(%w : !muon.stack<2x24x16xf32>) momentum(%m : !muon.stack<2x24x16xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, iteration = #muon.iteration<gram>, restarts = array<i64: 2>, side = #muon.side<right>, compute = #muon.compute<f32>, scale = #muon.scale<match_rms_adamw>, exchange = #muon.exchange<distributed_gram, group = #muon.group<@grid, [1], 1 of 2>, sharding = #muon.sharding<[[1], []]>, shape = [48, 16], owners = []>}
  return %0#0, %0#1 : !muon.stack<2x24x16xf32>, !muon.stack<2x24x16xf32>
}
}
