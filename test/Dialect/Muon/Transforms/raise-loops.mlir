// RUN: muon-opt --muon-raise --canonicalize --split-input-file --remarks-filter=muon-raise %s -o %t.mlir 2> %t.remarks
// RUN: FileCheck %s --input-file=%t.mlir
// RUN: FileCheck %s --input-file=%t.remarks --check-prefix=REMARK --implicit-check-not=remark:

// A loop of equal steps is one operation.

// REMARK: remark: [Passed] {{.*}}"5 Newton–Schulz steps on tensor<4x6xf32>"

// CHECK-LABEL: func.func @loop
// CHECK-NOT: {{scf|linalg}}
// CHECK: muon.orthogonalize {{.*}}<[1.500000e+00, -5.000000e-01, 0.000000e+00]>{{.*}}steps = 5
// CHECK-NOT: {{scf|linalg}}
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @loop(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %a1 = arith.constant dense<1.5> : tensor<4x6xf32>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf32>
  %lb = arith.constant 2 : index
  %ub = arith.constant 7 : index
  %one = arith.constant 1 : index
  %y = scf.for %i = %lb to %ub step %one iter_args(%s = %x) -> (tensor<4x6xf32>) {
    %gv = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%s, %s : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
    %bv = arith.mulf %gv, %b1 : tensor<4x4xf32>
    %av = arith.mulf %s, %a1 : tensor<4x6xf32>
    %v = linalg.matmul ins(%bv, %s : tensor<4x4xf32>, tensor<4x6xf32>) outs(%av : tensor<4x6xf32>) -> tensor<4x6xf32>
    scf.yield %v : tensor<4x6xf32>
  }
  return %y : tensor<4x6xf32>
}

// -----

// A loop and a step after it.

// REMARK: remark: [Passed] {{.*}}"3 Newton–Schulz steps on tensor<4x6xf32>"

// CHECK-LABEL: func.func @loop_and_step
// CHECK-NOT: {{scf|linalg}}
// CHECK: muon.orthogonalize {{.*}}<[1.500000e+00, -5.000000e-01, 0.000000e+00], [1.500000e+00, -5.000000e-01, 0.000000e+00], [2.000000e+00, -2.500000e-01, 0.000000e+00]>{{.*}}steps = 3
// CHECK-NOT: {{scf|linalg}}
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @loop_and_step(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %a1 = arith.constant dense<1.5> : tensor<4x6xf32>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf32>
  %a2 = arith.constant dense<2.0> : tensor<4x6xf32>
  %b2 = arith.constant dense<-0.25> : tensor<4x4xf32>
  %lb = arith.constant 0 : index
  %ub = arith.constant 2 : index
  %one = arith.constant 1 : index
  %y = scf.for %i = %lb to %ub step %one iter_args(%s = %x) -> (tensor<4x6xf32>) {
    %gv = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%s, %s : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
    %bv = arith.mulf %gv, %b1 : tensor<4x4xf32>
    %av = arith.mulf %s, %a1 : tensor<4x6xf32>
    %v = linalg.matmul ins(%bv, %s : tensor<4x4xf32>, tensor<4x6xf32>) outs(%av : tensor<4x6xf32>) -> tensor<4x6xf32>
    scf.yield %v : tensor<4x6xf32>
  }
  %gq = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%y, %y : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bq = arith.mulf %gq, %b2 : tensor<4x4xf32>
  %aq = arith.mulf %y, %a2 : tensor<4x6xf32>
  %q = linalg.matmul ins(%bq, %y : tensor<4x4xf32>, tensor<4x6xf32>) outs(%aq : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %q : tensor<4x6xf32>
}

// -----

// What else the loop carries stays in it, without the steps.

// REMARK: remark: [Passed] {{.*}}"4 Newton–Schulz steps on tensor<4x6xf32>"

// CHECK-LABEL: func.func @carries_more
// CHECK: %[[N:.*]] = scf.for {{.*}} iter_args(%[[S:.*]] = %{{.*}}) -> (f32)
// CHECK-NEXT: %[[D:.*]] = arith.addf %[[S]], %[[S]]
// CHECK-NEXT: scf.yield %[[D]]
// CHECK-NEXT: }
// CHECK: muon.orthogonalize {{.*}}steps = 4
// CHECK: %[[Y:.*]] = tensor.collapse_shape
// CHECK: return %[[Y]], %[[N]]
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @carries_more(%x: tensor<4x6xf32>, %f: f32) -> (tensor<4x6xf32>, f32) {
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %a1 = arith.constant dense<1.5> : tensor<4x6xf32>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf32>
  %lb = arith.constant 0 : index
  %ub = arith.constant 8 : index
  %two = arith.constant 2 : index
  %y:2 = scf.for %i = %lb to %ub step %two iter_args(%s = %x, %n = %f) -> (tensor<4x6xf32>, f32) {
    %gv = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%s, %s : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
    %bv = arith.mulf %gv, %b1 : tensor<4x4xf32>
    %av = arith.mulf %s, %a1 : tensor<4x6xf32>
    %v = linalg.matmul ins(%bv, %s : tensor<4x4xf32>, tensor<4x6xf32>) outs(%av : tensor<4x6xf32>) -> tensor<4x6xf32>
    %m = arith.addf %n, %n : f32
    scf.yield %v, %m : tensor<4x6xf32>, f32
  }
  return %y#0, %y#1 : tensor<4x6xf32>, f32
}

// -----

// What is carried comes from a matrix inside: steps after the loop, and steps in
// it for the other value.

// REMARK: remark: [Passed] {{.*}}"4 Newton–Schulz steps on tensor<4x6xf32>"

// CHECK-LABEL: func.func @carries_gram
// CHECK: %[[L:.*]]:2 = scf.for
// CHECK: linalg.matmul
// CHECK: scf.yield
// CHECK: muon.orthogonalize {{.*}}steps = 4
// CHECK: %[[Y:.*]] = tensor.collapse_shape
// CHECK: return %[[Y]], %[[L]]#1
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @carries_gram(%x: tensor<4x6xf32>) -> (tensor<4x6xf32>, tensor<4x4xf32>) {
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %a1 = arith.constant dense<1.5> : tensor<4x6xf32>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf32>
  %lb = arith.constant 0 : index
  %ub = arith.constant 4 : index
  %one = arith.constant 1 : index
  %y:2 = scf.for %i = %lb to %ub step %one iter_args(%s = %x, %n = %z) -> (tensor<4x6xf32>, tensor<4x4xf32>) {
    %gv = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%s, %s : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
    %bv = arith.mulf %gv, %b1 : tensor<4x4xf32>
    %av = arith.mulf %s, %a1 : tensor<4x6xf32>
    %v = linalg.matmul ins(%bv, %s : tensor<4x4xf32>, tensor<4x6xf32>) outs(%av : tensor<4x6xf32>) -> tensor<4x6xf32>
    scf.yield %v, %gv : tensor<4x6xf32>, tensor<4x4xf32>
  }
  return %y#0, %y#1 : tensor<4x6xf32>, tensor<4x4xf32>
}

// -----

// How often is not known: the loop stays, with one step in it.

// REMARK: remark: [Passed] {{.*}}"1 Newton–Schulz steps on tensor<4x6xf32>"
// REMARK: [[#@LINE+17]]:8: remark: [Missed] NewtonSchulz | {{.*}}"a loop of Newton–Schulz steps: expected a constant number of iterations"

// CHECK-LABEL: func.func @unknown_trips
// CHECK: scf.for
// CHECK-NOT: linalg
// CHECK: muon.orthogonalize {{.*}}steps = 1
// CHECK-NOT: linalg
// CHECK: scf.yield
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @unknown_trips(%x: tensor<4x6xf32>, %n: index) -> tensor<4x6xf32> {
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %a1 = arith.constant dense<1.5> : tensor<4x6xf32>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf32>
  %lb = arith.constant 0 : index
  %one = arith.constant 1 : index
  %y = scf.for %i = %lb to %n step %one iter_args(%s = %x) -> (tensor<4x6xf32>) {
    %gv = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%s, %s : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
    %bv = arith.mulf %gv, %b1 : tensor<4x4xf32>
    %av = arith.mulf %s, %a1 : tensor<4x6xf32>
    %v = linalg.matmul ins(%bv, %s : tensor<4x4xf32>, tensor<4x6xf32>) outs(%av : tensor<4x6xf32>) -> tensor<4x6xf32>
    scf.yield %v : tensor<4x6xf32>
  }
  return %y : tensor<4x6xf32>
}

// -----

// Never: X comes out.

// REMARK: remark: [Passed] {{.*}}"1 Newton–Schulz steps on tensor<4x6xf32>"

// CHECK-LABEL: func.func @zero_trips
// CHECK-SAME: %[[X:.*]]: tensor<4x6xf32>
// CHECK-NOT: muon.orthogonalize
// CHECK: return %[[X]]
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @zero_trips(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %a1 = arith.constant dense<1.5> : tensor<4x6xf32>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf32>
  %lb = arith.constant 5 : index
  %ub = arith.constant 5 : index
  %one = arith.constant 1 : index
  %y = scf.for %i = %lb to %ub step %one iter_args(%s = %x) -> (tensor<4x6xf32>) {
    %gv = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%s, %s : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
    %bv = arith.mulf %gv, %b1 : tensor<4x4xf32>
    %av = arith.mulf %s, %a1 : tensor<4x6xf32>
    %v = linalg.matmul ins(%bv, %s : tensor<4x4xf32>, tensor<4x6xf32>) outs(%av : tensor<4x6xf32>) -> tensor<4x6xf32>
    scf.yield %v : tensor<4x6xf32>
  }
  return %y : tensor<4x6xf32>
}

// -----

// Two steps in each iteration: both at once, in the loop.

// REMARK: remark: [Passed] {{.*}}"2 Newton–Schulz steps on tensor<4x6xf32>"

// CHECK-LABEL: func.func @two_each
// CHECK: scf.for
// CHECK-NOT: linalg
// CHECK: muon.orthogonalize {{.*}}<[1.500000e+00, -5.000000e-01, 0.000000e+00], [2.000000e+00, -2.500000e-01, 0.000000e+00]>{{.*}}steps = 2
// CHECK: scf.yield
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @two_each(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %a1 = arith.constant dense<1.5> : tensor<4x6xf32>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf32>
  %a2 = arith.constant dense<2.0> : tensor<4x6xf32>
  %b2 = arith.constant dense<-0.25> : tensor<4x4xf32>
  %lb = arith.constant 0 : index
  %ub = arith.constant 3 : index
  %one = arith.constant 1 : index
  %y = scf.for %i = %lb to %ub step %one iter_args(%s = %x) -> (tensor<4x6xf32>) {
    %gu = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%s, %s : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
    %bu = arith.mulf %gu, %b1 : tensor<4x4xf32>
    %au = arith.mulf %s, %a1 : tensor<4x6xf32>
    %u = linalg.matmul ins(%bu, %s : tensor<4x4xf32>, tensor<4x6xf32>) outs(%au : tensor<4x6xf32>) -> tensor<4x6xf32>
    %gv = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%u, %u : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
    %bv = arith.mulf %gv, %b2 : tensor<4x4xf32>
    %av = arith.mulf %u, %a2 : tensor<4x6xf32>
    %v = linalg.matmul ins(%bv, %u : tensor<4x4xf32>, tensor<4x6xf32>) outs(%av : tensor<4x6xf32>) -> tensor<4x6xf32>
    scf.yield %v : tensor<4x6xf32>
  }
  return %y : tensor<4x6xf32>
}

// -----

// Carried in bf16, summed in f32.

// REMARK: remark: [Passed] {{.*}}"5 Newton–Schulz steps on tensor<4x6xbf16>"

// CHECK-LABEL: func.func @bf16
// CHECK-NOT: {{scf|linalg}}
// CHECK: muon.orthogonalize x(%{{.*}} : tensor<1x4x6xbf16>) out(%{{.*}} : tensor<1x4x6xbf16>) {{.*}}<[1.500000e+00, -5.000000e-01, 0.000000e+00]>{{.*}}steps = 5
// CHECK-NOT: {{scf|linalg}}
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @bf16(%x: tensor<4x6xbf16>) -> tensor<4x6xbf16> {
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %a1 = arith.constant dense<1.5> : tensor<4x6xf32>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf32>
  %lb = arith.constant 0 : index
  %ub = arith.constant 5 : index
  %one = arith.constant 1 : index
  %y = scf.for %i = %lb to %ub step %one iter_args(%s = %x) -> (tensor<4x6xbf16>) {
    %w = arith.extf %s : tensor<4x6xbf16> to tensor<4x6xf32>
    %gt = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%w, %w : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
    %bt = arith.mulf %gt, %b1 : tensor<4x4xf32>
    %at = arith.mulf %w, %a1 : tensor<4x6xf32>
    %t = linalg.matmul ins(%bt, %w : tensor<4x4xf32>, tensor<4x6xf32>) outs(%at : tensor<4x6xf32>) -> tensor<4x6xf32>
    %v = arith.truncf %t : tensor<4x6xf32> to tensor<4x6xbf16>
    scf.yield %v : tensor<4x6xbf16>
  }
  return %y : tensor<4x6xbf16>
}
