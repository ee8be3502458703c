// RUN: muon-opt --muon-select-iteration %s | FileCheck %s
// RUN: muon-opt --muon-select-iteration --remarks-filter=muon-select-iteration %s -o %t.mlir 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REMARK

// REMARK: select-iteration.mlir:[[#@LINE+9]]:8: remark: [Passed] Side | Category:muon-select-iteration | {{.*}}side left: the Gram matrix is 16x16, not 64x64
// REMARK: select-iteration.mlir:[[#@LINE+8]]:8: remark: [Passed] Iteration | {{.*}}direct iteration: the only one of this target
// REMARK: select-iteration.mlir:[[#@LINE+7]]:8: remark: [Passed] Compute | {{.*}}f32 products: the only ones of this target

// CHECK-LABEL: func.func @wide
// CHECK: muon.orthogonalize
// CHECK-SAME: compute = #muon.compute<f32>, iteration = #muon.iteration<direct>
// CHECK-SAME: side = #muon.side<left>
func.func @wide(%x: tensor<1x16x64xf32>, %o: tensor<1x16x64xf32>) -> tensor<1x16x64xf32> {
  %0 = muon.orthogonalize x(%x : tensor<1x16x64xf32>) out(%o : tensor<1x16x64xf32>) {schedule = #muon.schedule<you>, steps = 5 : i64}
  return %0 : tensor<1x16x64xf32>
}

// REMARK: side right: the Gram matrix is 16x16, not 64x64
// CHECK-LABEL: func.func @tall
// CHECK: muon.orthogonalize {{.*}} side = #muon.side<right>
func.func @tall(%x: tensor<3x64x16xf32>, %o: tensor<3x64x16xf32>) -> tensor<3x64x16xf32> {
  %0 = muon.orthogonalize x(%x : tensor<3x64x16xf32>) out(%o : tensor<3x64x16xf32>) {schedule = #muon.schedule<you>, steps = 5 : i64}
  return %0 : tensor<3x64x16xf32>
}

// REMARK: [[#@LINE+6]]:8: remark: [Passed] Side | {{.*}}side left
// REMARK: [[#@LINE+5]]:8: remark: [Passed] Iteration
// REMARK: [[#@LINE+4]]:8: remark: [Passed] Compute
// CHECK-LABEL: func.func @square
// CHECK: muon.orthogonalize {{.*}} side = #muon.side<left>
func.func @square(%x: tensor<1x7x7xf32>, %o: tensor<1x7x7xf32>) -> tensor<1x7x7xf32> {
  %0 = muon.orthogonalize x(%x : tensor<1x7x7xf32>) out(%o : tensor<1x7x7xf32>) {schedule = #muon.schedule<you>, steps = 5 : i64}
  return %0 : tensor<1x7x7xf32>
}

// What was written by hand stays, even where the pass would choose otherwise,
// and nothing is said about it.

// REMARK-NOT: remark
// CHECK-LABEL: func.func @by_hand
// CHECK: muon.orthogonalize
// CHECK-SAME: compute = #muon.compute<f32>, iteration = #muon.iteration<direct>
// CHECK-SAME: side = #muon.side<right>
func.func @by_hand(%x: tensor<1x16x64xf32>, %o: tensor<1x16x64xf32>) -> tensor<1x16x64xf32> {
  %0 = muon.orthogonalize x(%x : tensor<1x16x64xf32>) out(%o : tensor<1x16x64xf32>)
    {schedule = #muon.schedule<you>, steps = 5 : i64, side = #muon.side<right>,
     iteration = #muon.iteration<direct>, compute = #muon.compute<f32>}
  return %0 : tensor<1x16x64xf32>
}
