// RUN: muon-opt %s --inline | FileCheck %s

// Operations of a function may be put where it is called.

// CHECK-LABEL: func.func @step
// CHECK-NOT: call
// CHECK: muon.sum_squares
// CHECK: muon.orthogonalize
func.func @step(%x: tensor<1x4x6xf32>, %s: tensor<1xf64>, %o: tensor<1x4x6xf32>)
    -> (tensor<1xf64>, tensor<1x4x6xf32>) {
  %0, %1 = call @part(%x, %s, %o) : (tensor<1x4x6xf32>, tensor<1xf64>, tensor<1x4x6xf32>) -> (tensor<1xf64>, tensor<1x4x6xf32>)
  return %0, %1 : tensor<1xf64>, tensor<1x4x6xf32>
}

func.func private @part(%x: tensor<1x4x6xf32>, %s: tensor<1xf64>, %o: tensor<1x4x6xf32>)
    -> (tensor<1xf64>, tensor<1x4x6xf32>) {
  %0 = muon.sum_squares value(%x : tensor<1x4x6xf32>) sums(%s : tensor<1xf64>)
  %1 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return %0, %1 : tensor<1xf64>, tensor<1x4x6xf32>
}
