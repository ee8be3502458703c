// RUN: muon-opt --muon-select-iteration --split-input-file %s | FileCheck %s

// What is decided is for whole matrices: of 48x16 the right side is the smaller
// one, though the blocks have 8 rows.

// CHECK: muon.update
// CHECK-SAME: iteration = #muon.iteration<gram>
// CHECK-SAME: side = #muon.side<right>
module attributes {muon.rank = 1 : i64} {
shard.grid @grid(shape = 2x6)
func.func @step(%g: !muon.stack<2x8x16xf32>, %gs: tensor<2xf64>, %ms: tensor<2xf64>, %f: tensor<f32>, %w: !muon.stack<2x8x16xf32>, %m: !muon.stack<2x8x16xf32>) -> (!muon.stack<2x8x16xf32>, !muon.stack<2x8x16xf32>) {
  %0:2 = muon.update gradient(%g : !muon.stack<2x8x16xf32>) gradient_sums(%gs : tensor<2xf64>) momentum_sums(%ms : tensor<2xf64>) lr(%f : tensor<f32>) weight_decay(%f : tensor<f32>) beta(%f : tensor<f32>) weight(%w : !muon.stack<2x8x16xf32>) momentum(%m : !muon.stack<2x8x16xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, exchange = #muon.exchange<gather, group = #muon.group<@grid, [1], 1 of 6>, sharding = #muon.sharding<[[1], []]>, shape = [48, 16], owners = []>}
  return %0#0, %0#1 : !muon.stack<2x8x16xf32>, !muon.stack<2x8x16xf32>
}
}

// -----

// Where blocks of columns stay, it is the Gram matrix of the rows that ranks can
// add up, and the Gram iteration that needs nothing else.

// CHECK: muon.update
// CHECK-SAME: iteration = #muon.iteration<gram>
// CHECK-SAME: side = #muon.side<left>
module attributes {muon.rank = 1 : i64} {
shard.grid @grid(shape = 2x2)
func.func @step(%g: !muon.stack<2x48x8xf32>, %gs: tensor<2xf64>, %ms: tensor<2xf64>, %f: tensor<f32>, %w: !muon.stack<2x48x8xf32>, %m: !muon.stack<2x48x8xf32>) -> (!muon.stack<2x48x8xf32>, !muon.stack<2x48x8xf32>) {
  %0:2 = muon.update gradient(%g : !muon.stack<2x48x8xf32>) gradient_sums(%gs : tensor<2xf64>) momentum_sums(%ms : tensor<2xf64>) lr(%f : tensor<f32>) weight_decay(%f : tensor<f32>) beta(%f : tensor<f32>) weight(%w : !muon.stack<2x48x8xf32>) momentum(%m : !muon.stack<2x48x8xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, exchange = #muon.exchange<distributed_gram, group = #muon.group<@grid, [1], 1 of 2>, sharding = #muon.sharding<[[], [1]]>, shape = [48, 16], owners = []>}
  return %0#0, %0#1 : !muon.stack<2x48x8xf32>, !muon.stack<2x48x8xf32>
}
}

// -----

// CHECK: muon.update
// CHECK-SAME: iteration = #muon.iteration<gram>
// CHECK-SAME: side = #muon.side<right>
module attributes {muon.rank = 1 : i64} {
shard.grid @grid(shape = 2x2)
func.func @step(%g: !muon.stack<2x8x48xf32>, %gs: tensor<2xf64>, %ms: tensor<2xf64>, %f: tensor<f32>, %w: !muon.stack<2x8x48xf32>, %m: !muon.stack<2x8x48xf32>) -> (!muon.stack<2x8x48xf32>, !muon.stack<2x8x48xf32>) {
  %0:2 = muon.update gradient(%g : !muon.stack<2x8x48xf32>) gradient_sums(%gs : tensor<2xf64>) momentum_sums(%ms : tensor<2xf64>) lr(%f : tensor<f32>) weight_decay(%f : tensor<f32>) beta(%f : tensor<f32>) weight(%w : !muon.stack<2x8x48xf32>) momentum(%m : !muon.stack<2x8x48xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, exchange = #muon.exchange<distributed_gram, group = #muon.group<@grid, [1], 1 of 2>, sharding = #muon.sharding<[[1], []]>, shape = [16, 48], owners = []>}
  return %0#0, %0#1 : !muon.stack<2x8x48xf32>, !muon.stack<2x8x48xf32>
}
}
