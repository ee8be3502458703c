// RUN: muon-opt --muon-select-iteration --remarks-filter=muon-select-iteration %s -o %t.mlir 2>&1 \
// RUN:   | FileCheck %s --implicit-check-not=remark:

// Every choice is remarked on, where the operation is; the iteration always.

// CHECK: select-iteration-remarks.mlir:[[#@LINE+4]]:8: remark: [Passed] Side | Category:muon-select-iteration | {{.*}}"side left: the Gram matrix is 16x16, not 64x64"
// CHECK: select-iteration-remarks.mlir:[[#@LINE+3]]:8: remark: [Passed] Compute | Category:muon-select-iteration | {{.*}}"products in the type of x"
// CHECK: select-iteration-remarks.mlir:[[#@LINE+2]]:8: remark: [Passed] Iteration | Category:muon-select-iteration | {{.*}}"gram with restarts [2]: it takes 0.585 of the direct iteration's FLOPs, and adds an error of about 8e-06"
func.func @all(%x: tensor<1x16x64xf32>, %o: tensor<1x16x64xf32>) {
  %0 = muon.orthogonalize x(%x : tensor<1x16x64xf32>) out(%o : tensor<1x16x64xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return
}

// CHECK: [[#@LINE+4]]:8: remark: [Passed] Side | {{.*}}"side right: the Gram matrix is 16x16, not 64x64"
// CHECK: [[#@LINE+3]]:8: remark: [Passed] Compute
// CHECK: [[#@LINE+2]]:8: remark: [Passed] Iteration
func.func @tall(%x: tensor<1x64x16xf32>, %o: tensor<1x64x16xf32>) {
  %0 = muon.orthogonalize x(%x : tensor<1x64x16xf32>) out(%o : tensor<1x64x16xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return
}

// CHECK: [[#@LINE+4]]:8: remark: [Passed] Side | {{.*}}"side left: the matrix is square"
// CHECK: [[#@LINE+3]]:8: remark: [Passed] Compute
// CHECK: [[#@LINE+2]]:8: remark: [Passed] Iteration | {{.*}}"direct: the Gram iteration would take 1.000 of the direct iteration's FLOPs with restarts [2]"
func.func @square(%x: tensor<1x7x7xf32>, %o: tensor<1x7x7xf32>) {
  %0 = muon.orthogonalize x(%x : tensor<1x7x7xf32>) out(%o : tensor<1x7x7xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return
}

// Of what is written by hand, only the iteration is said.

// CHECK: [[#@LINE+2]]:8: remark: [Passed] Iteration | {{.*}}"direct: as written"
func.func @by_hand(%x: tensor<1x16x64xf32>, %o: tensor<1x16x64xf32>) {
  %0 = muon.orthogonalize x(%x : tensor<1x16x64xf32>) out(%o : tensor<1x16x64xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, side = #muon.side<right>, iteration = #muon.iteration<direct>, compute = #muon.compute<f32>}
  return
}

// The CPU has a default of its own.

// CHECK: [[#@LINE+6]]:10: remark: [Passed] Side
// CHECK: [[#@LINE+5]]:10: remark: [Passed] Compute | {{.*}}"f32 products: the default of this target"
// CHECK: [[#@LINE+4]]:10: remark: [Passed] Iteration
func.func @update(
    %w: tensor<64x16xf16>, %g: tensor<64x16xf16>, %m: tensor<64x16xf16>,
    %gs: tensor<1xf64>, %ms: tensor<1xf64>, %lr: tensor<f32>) -> (tensor<64x16xf16>, tensor<64x16xf16>) {
  %0:2 = muon.update gradient(%g : tensor<64x16xf16>) gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : tensor<64x16xf16>) momentum(%m : tensor<64x16xf16>)
    {schedule = #muon.schedule<keller_jordan>}
  return %0#0, %0#1 : tensor<64x16xf16>, tensor<64x16xf16>
}
