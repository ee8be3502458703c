// RUN: muon-opt --muon-raise --canonicalize --split-input-file --remarks-filter=muon-raise %s -o %t.mlir 2> %t.remarks
// RUN: FileCheck %s --input-file=%t.mlir
// RUN: FileCheck %s --input-file=%t.remarks --check-prefix=REMARK --implicit-check-not=remark:

// Steps one after the other.

// Equal coefficients are written once.

// REMARK: remark: [Passed] {{.*}}"3 Newton–Schulz steps on tensor<4x6xf32>"

// CHECK-LABEL: func.func @uniform
// CHECK-NOT: linalg
// CHECK: muon.orthogonalize {{.*}}<[1.500000e+00, -5.000000e-01, 0.000000e+00]>{{.*}}steps = 3
// CHECK-NOT: {{linalg|muon}}
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @uniform(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %a1 = arith.constant dense<1.5> : tensor<4x6xf32>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf32>
  %gu = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bu = arith.mulf %gu, %b1 : tensor<4x4xf32>
  %au = arith.mulf %x, %a1 : tensor<4x6xf32>
  %u = linalg.matmul ins(%bu, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%au : tensor<4x6xf32>) -> tensor<4x6xf32>
  %gv = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%u, %u : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bv = arith.mulf %gv, %b1 : tensor<4x4xf32>
  %av = arith.mulf %u, %a1 : tensor<4x6xf32>
  %v = linalg.matmul ins(%bv, %u : tensor<4x4xf32>, tensor<4x6xf32>) outs(%av : tensor<4x6xf32>) -> tensor<4x6xf32>
  %gy = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%v, %v : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %by = arith.mulf %gy, %b1 : tensor<4x4xf32>
  %ay = arith.mulf %v, %a1 : tensor<4x6xf32>
  %y = linalg.matmul ins(%by, %v : tensor<4x4xf32>, tensor<4x6xf32>) outs(%ay : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

// Others one by one, also where two of them are equal.

// REMARK: remark: [Passed] {{.*}}"3 Newton–Schulz steps on tensor<4x6xf32>"

// CHECK-LABEL: func.func @schedule
// CHECK-NOT: linalg
// CHECK: muon.orthogonalize {{.*}}<[2.000000e+00, -2.500000e-01, 0.000000e+00], [1.500000e+00, -5.000000e-01, 0.000000e+00], [1.500000e+00, -5.000000e-01, 0.000000e+00]>{{.*}}steps = 3
// CHECK-NOT: {{linalg|muon}}
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @schedule(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %a1 = arith.constant dense<1.5> : tensor<4x6xf32>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf32>
  %a2 = arith.constant dense<2.0> : tensor<4x6xf32>
  %b2 = arith.constant dense<-0.25> : tensor<4x4xf32>
  %gu = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bu = arith.mulf %gu, %b2 : tensor<4x4xf32>
  %au = arith.mulf %x, %a2 : tensor<4x6xf32>
  %u = linalg.matmul ins(%bu, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%au : tensor<4x6xf32>) -> tensor<4x6xf32>
  %gv = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%u, %u : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bv = arith.mulf %gv, %b1 : tensor<4x4xf32>
  %av = arith.mulf %u, %a1 : tensor<4x6xf32>
  %v = linalg.matmul ins(%bv, %u : tensor<4x4xf32>, tensor<4x6xf32>) outs(%av : tensor<4x6xf32>) -> tensor<4x6xf32>
  %gy = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%v, %v : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %by = arith.mulf %gy, %b1 : tensor<4x4xf32>
  %ay = arith.mulf %v, %a1 : tensor<4x6xf32>
  %y = linalg.matmul ins(%by, %v : tensor<4x4xf32>, tensor<4x6xf32>) outs(%ay : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

// The Gram matrix of the first step is a result too: it stays, the steps do not.

// REMARK: remark: [Passed] {{.*}}"2 Newton–Schulz steps on tensor<4x6xf32>"

// CHECK-LABEL: func.func @gram_used
// CHECK-SAME: %[[X:.*]]: tensor<4x6xf32>
// CHECK: %[[G:.*]] = linalg.matmul {{.*}} ins(%[[X]], %[[X]] :
// CHECK-NOT: linalg
// CHECK: muon.orthogonalize {{.*}}steps = 2
// CHECK: %[[Y:.*]] = tensor.collapse_shape
// CHECK-NEXT: return %[[Y]], %[[G]]
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @gram_used(%x: tensor<4x6xf32>) -> (tensor<4x6xf32>, tensor<4x4xf32>) {
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %a1 = arith.constant dense<1.5> : tensor<4x6xf32>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf32>
  %gu = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bu = arith.mulf %gu, %b1 : tensor<4x4xf32>
  %au = arith.mulf %x, %a1 : tensor<4x6xf32>
  %u = linalg.matmul ins(%bu, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%au : tensor<4x6xf32>) -> tensor<4x6xf32>
  %gy = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%u, %u : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %by = arith.mulf %gy, %b1 : tensor<4x4xf32>
  %ay = arith.mulf %u, %a1 : tensor<4x6xf32>
  %y = linalg.matmul ins(%by, %u : tensor<4x4xf32>, tensor<4x6xf32>) outs(%ay : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %y, %gu : tensor<4x6xf32>, tensor<4x4xf32>
}

// -----

// What the first of two steps ends with is a result too: its own operations stay
// for it, and the second step is not computed twice.

// REMARK: remark: [Passed] {{.*}}"2 Newton–Schulz steps on tensor<4x6xf32>"

// CHECK-LABEL: func.func @middle_used
// CHECK-SAME: %[[X:.*]]: tensor<4x6xf32>
// CHECK: %[[G:.*]] = linalg.matmul {{.*}} ins(%[[X]], %[[X]] :
// CHECK: %[[B:.*]] = arith.mulf %[[G]]
// CHECK: %[[A:.*]] = arith.mulf %[[X]]
// CHECK: %[[U:.*]] = linalg.matmul ins(%[[B]], %[[X]] : {{.*}} outs(%[[A]] :
// CHECK-NOT: linalg
// CHECK: muon.orthogonalize {{.*}}steps = 2
// CHECK: %[[Y:.*]] = tensor.collapse_shape
// CHECK-NEXT: return %[[Y]], %[[U]]
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @middle_used(%x: tensor<4x6xf32>) -> (tensor<4x6xf32>, tensor<4x6xf32>) {
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %a1 = arith.constant dense<1.5> : tensor<4x6xf32>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf32>
  %gu = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bu = arith.mulf %gu, %b1 : tensor<4x4xf32>
  %au = arith.mulf %x, %a1 : tensor<4x6xf32>
  %u = linalg.matmul ins(%bu, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%au : tensor<4x6xf32>) -> tensor<4x6xf32>
  %gy = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%u, %u : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %by = arith.mulf %gy, %b1 : tensor<4x4xf32>
  %ay = arith.mulf %u, %a1 : tensor<4x6xf32>
  %y = linalg.matmul ins(%by, %u : tensor<4x4xf32>, tensor<4x6xf32>) outs(%ay : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %y, %u : tensor<4x6xf32>, tensor<4x6xf32>
}

// -----

// Two chains whose operations take turns.

// REMARK: remark: [Passed] {{.*}}"2 Newton–Schulz steps on tensor<4x6xf32>"
// REMARK: remark: [Passed] {{.*}}"1 Newton–Schulz steps on tensor<4x6xf32>"

// CHECK-LABEL: func.func @two_chains
// CHECK-SAME: %[[X:.*]]: tensor<4x6xf32>, %[[W:.*]]: tensor<4x6xf32>
// CHECK-NOT: linalg
// CHECK-DAG: %[[XB:.*]] = tensor.expand_shape %[[X]]
// CHECK-DAG: %[[WB:.*]] = tensor.expand_shape %[[W]]
// CHECK-DAG: %[[XO:.*]] = muon.orthogonalize x(%[[XB]] : {{.*}}<[1.500000e+00, -5.000000e-01, 0.000000e+00]>{{.*}}steps = 2
// CHECK-DAG: %[[WO:.*]] = muon.orthogonalize x(%[[WB]] : {{.*}}<[2.000000e+00, -2.500000e-01, 0.000000e+00]>{{.*}}steps = 1
// CHECK-DAG: %[[XR:.*]] = tensor.collapse_shape %[[XO]]
// CHECK-DAG: %[[WR:.*]] = tensor.collapse_shape %[[WO]]
// CHECK: return %[[XR]], %[[WR]]
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @two_chains(%x: tensor<4x6xf32>, %w: tensor<4x6xf32>) -> (tensor<4x6xf32>, tensor<4x6xf32>) {
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %a1 = arith.constant dense<1.5> : tensor<4x6xf32>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf32>
  %a2 = arith.constant dense<2.0> : tensor<4x6xf32>
  %b2 = arith.constant dense<-0.25> : tensor<4x4xf32>
  %gu = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bu = arith.mulf %gu, %b1 : tensor<4x4xf32>
  %au = arith.mulf %x, %a1 : tensor<4x6xf32>
  %u = linalg.matmul ins(%bu, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%au : tensor<4x6xf32>) -> tensor<4x6xf32>
  %gv = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%w, %w : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bv = arith.mulf %gv, %b2 : tensor<4x4xf32>
  %av = arith.mulf %w, %a2 : tensor<4x6xf32>
  %v = linalg.matmul ins(%bv, %w : tensor<4x4xf32>, tensor<4x6xf32>) outs(%av : tensor<4x6xf32>) -> tensor<4x6xf32>
  %gy = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%u, %u : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %by = arith.mulf %gy, %b1 : tensor<4x4xf32>
  %ay = arith.mulf %u, %a1 : tensor<4x6xf32>
  %y = linalg.matmul ins(%by, %u : tensor<4x4xf32>, tensor<4x6xf32>) outs(%ay : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %y, %v : tensor<4x6xf32>, tensor<4x6xf32>
}

// -----

// X plus a step from 2X is a step from X. The one inside it goes with it.

// REMARK: [[#@LINE+22]]:8: remark: [Passed] {{.*}}"1 Newton–Schulz steps on tensor<4x6xf32>"

// CHECK-LABEL: func.func @nested
// CHECK-SAME: %[[X:.*]]: tensor<4x6xf32>
// CHECK-NOT: {{linalg|arith.addf}}
// CHECK: %[[XB:.*]] = tensor.expand_shape %[[X]]
// CHECK: muon.orthogonalize x(%[[XB]] : {{.*}}<[4.000000e+00, -4.000000e+00, 0.000000e+00]>
// CHECK-NOT: muon.orthogonalize
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @nested(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %a1 = arith.constant dense<1.5> : tensor<4x6xf32>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf32>
  %a2 = arith.constant dense<2.0> : tensor<4x6xf32>
  %b2 = arith.constant dense<-0.25> : tensor<4x4xf32>
  %x2 = arith.mulf %x, %a2 : tensor<4x6xf32>
  %gv = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x2, %x2 : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bv = arith.mulf %gv, %b1 : tensor<4x4xf32>
  %av = arith.mulf %x2, %a1 : tensor<4x6xf32>
  %v = linalg.matmul ins(%bv, %x2 : tensor<4x4xf32>, tensor<4x6xf32>) outs(%av : tensor<4x6xf32>) -> tensor<4x6xf32>
  %y = arith.addf %x, %v : tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

// A multiple between two steps belongs to the second: 2Y with (1.5, −0.5) is Y
// with (3, −4).

// REMARK: remark: [Passed] {{.*}}"2 Newton–Schulz steps on tensor<4x6xf32>"

// CHECK-LABEL: func.func @scaled_between
// CHECK-NOT: linalg
// CHECK: muon.orthogonalize {{.*}}<[1.500000e+00, -5.000000e-01, 0.000000e+00], [3.000000e+00, -4.000000e+00, 0.000000e+00]>{{.*}}steps = 2
// CHECK-NOT: {{linalg|muon}}
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @scaled_between(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %a1 = arith.constant dense<1.5> : tensor<4x6xf32>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf32>
  %a2 = arith.constant dense<2.0> : tensor<4x6xf32>
  %b2 = arith.constant dense<-0.25> : tensor<4x4xf32>
  %gu = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bu = arith.mulf %gu, %b1 : tensor<4x4xf32>
  %au = arith.mulf %x, %a1 : tensor<4x6xf32>
  %u = linalg.matmul ins(%bu, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%au : tensor<4x6xf32>) -> tensor<4x6xf32>
  %v = arith.mulf %u, %a2 : tensor<4x6xf32>
  %gy = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%v, %v : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %by = arith.mulf %gy, %b1 : tensor<4x4xf32>
  %ay = arith.mulf %v, %a1 : tensor<4x6xf32>
  %y = linalg.matmul ins(%by, %v : tensor<4x4xf32>, tensor<4x6xf32>) outs(%ay : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}
