// RUN: muon-opt %s --muon-absorb-shardings --split-input-file --verify-diagnostics | FileCheck %s

shard.grid @grid(shape = 4x2)

// CHECK-LABEL: func.func @step
// CHECK-SAME: %[[W:.*]]: tensor<8x4xf32> {muon.names = ["w"], muon.role = #muon.role<weight>, muon.sharding = #muon.sharding<{{\[}}[0, 1], []]>}
// CHECK-SAME: %[[G:.*]]: tensor<8x4xf32> {muon.names = ["w"], muon.role = #muon.role<gradient>, muon.sharding = #muon.sharding<{{\[}}[0, 1], []]>}
// CHECK-NOT: shard.shard
// CHECK: muon.optimize weight(%[[W]]) gradient(%[[G]])
func.func @step(
    %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["w"]},
    %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"]})
    -> tensor<8x4xf32> {
  // Trailing dimensions may be left out.
  %s = shard.sharding @grid split_axes = [[0, 1]] : !shard.sharding
  %w0 = shard.shard %w to %s : tensor<8x4xf32>
  %g0 = shard.shard %g to %s annotate_for_users : tensor<8x4xf32>
  %r = muon.optimize weight(%w0) gradient(%g0) : tensor<8x4xf32>, tensor<8x4xf32>
  return %r : tensor<8x4xf32>
}

// -----

shard.grid @grid(shape = 2)

// CHECK-LABEL: func.func @replicated
// CHECK-SAME: muon.sharding = #muon.sharding<{{\[}}[], []]>
func.func @replicated(%w: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %s = shard.sharding @grid split_axes = [[]] : !shard.sharding
  %w0 = shard.shard %w to %s : tensor<8x4xf32>
  return %w0 : tensor<8x4xf32>
}

// -----

shard.grid @grid(shape = 2)
func.func @twice(%w: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %rows = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %cols = shard.sharding @grid split_axes = [[], [0]] : !shard.sharding
  %w0 = shard.shard %w to %rows : tensor<8x4xf32>
  // expected-error@+1 {{gives argument #0 the sharding #muon.sharding<[[], [0]]>, which has #muon.sharding<[[0], []]> already}}
  %w1 = shard.shard %w to %cols : tensor<8x4xf32>
  return %w1 : tensor<8x4xf32>
}

// -----

shard.grid @grid(shape = 2)
func.func @halo(%w: tensor<8x4xf32>) -> tensor<8x4xf32> {
  // expected-error@+1 {{expected no halos and no offsets}}
  %s = shard.sharding @grid split_axes = [[0]] halo_sizes = [1, 2] : !shard.sharding
  %w0 = shard.shard %w to %s : tensor<8x4xf32>
  return %w0 : tensor<8x4xf32>
}

// -----

shard.grid @grid(shape = 2)
func.func @computed(%w: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %s = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %e = tensor.empty() : tensor<8x4xf32>
  // expected-error@+1 {{expected an argument of a function}}
  %w0 = shard.shard %e to %s : tensor<8x4xf32>
  return %w0 : tensor<8x4xf32>
}
