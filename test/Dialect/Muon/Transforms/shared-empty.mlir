// RUN: muon-opt --muon-phase-math --cse --muon-phase-buffers %s | FileCheck %s

// CSE makes one value of undefined tensors of one type: each use still gets
// memory of its own where their lives overlap.

// CHECK-LABEL: func.func @step(
// CHECK-NOT: memref.copy
// CHECK: muon.momentum {{.*}} sums(%[[SUMS:.+]] : memref<1xf64>) unit(%[[UNIT:.+]] : memref<1xf64>)
// CHECK-NOT: memref.copy
// CHECK: muon.normalize sums(%[[SUMS]] : memref<1xf64>) unit(%[[UNIT]] : memref<1xf64>)
// CHECK-NOT: memref.copy
func.func @step(
    %g: tensor<8x4xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>, %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>,
    %w: tensor<8x4xf32>, %m: tensor<8x4xf32>) -> (tensor<8x4xf32>, tensor<8x4xf32>) {
  %w1, %m1 = muon.update gradient(%g : tensor<8x4xf32>) gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) beta(%beta : tensor<f32>) weight(%w : tensor<8x4xf32>) momentum(%m : tensor<8x4xf32>) {schedule = #muon.schedule<you>, steps = 2 : i64}
  return %w1, %m1 : tensor<8x4xf32>, tensor<8x4xf32>
}
