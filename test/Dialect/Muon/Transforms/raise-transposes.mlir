// RUN: muon-opt --muon-raise --canonicalize --split-input-file --remarks-filter=muon-raise %s -o %t.mlir 2> %t.remarks
// RUN: FileCheck %s --input-file=%t.mlir
// RUN: FileCheck %s --input-file=%t.remarks --check-prefix=REMARK --implicit-check-not=remark:

// The iteration commutes with transposition: transposes around it go, if nothing
// else needs what is between them.

// REMARK: remark: [Passed] {{.*}}"1 Newton–Schulz steps on tensor<6x4xf32>, without the transposes around them"

// CHECK-LABEL: func.func @around
// CHECK-SAME: %[[X:.*]]: tensor<6x4xf32>
// CHECK-NEXT: %[[B:.*]] = tensor.expand_shape %[[X]] {{.*}} output_shape [1, 6, 4]
// CHECK-NEXT: tensor.empty() : tensor<1x6x4xf32>
// CHECK-NEXT: %[[O:.*]] = muon.orthogonalize x(%[[B]]
// CHECK-NEXT: %[[R:.*]] = tensor.collapse_shape %[[O]]
// CHECK-NEXT: return %[[R]]
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @around(%t: tensor<6x4xf32>) -> tensor<6x4xf32> {
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %a1 = arith.constant dense<1.5> : tensor<4x6xf32>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf32>
  %e46 = tensor.empty() : tensor<4x6xf32>
  %e64 = tensor.empty() : tensor<6x4xf32>
  %x = linalg.transpose ins(%t : tensor<6x4xf32>) outs(%e46 : tensor<4x6xf32>) permutation = [1, 0]
  %gu = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bu = arith.mulf %gu, %b1 : tensor<4x4xf32>
  %au = arith.mulf %x, %a1 : tensor<4x6xf32>
  %u = linalg.matmul ins(%bu, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%au : tensor<4x6xf32>) -> tensor<4x6xf32>
  %y = linalg.transpose ins(%u : tensor<4x6xf32>) outs(%e64 : tensor<6x4xf32>) permutation = [1, 0]
  return %y : tensor<6x4xf32>
}

// -----

// A generic that reads in one order and writes in another is one as well.

// REMARK: remark: [Passed] {{.*}}"2 Newton–Schulz steps on tensor<6x4xf32>, without the transposes around them"

// CHECK-LABEL: func.func @generic_around
// CHECK-NOT: linalg
// CHECK: muon.orthogonalize x(%{{.*}} : tensor<1x6x4xf32>) {{.*}}steps = 2
// CHECK-NOT: linalg
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(i, j) -> (i, j)>
#sw = affine_map<(i, j) -> (j, i)>
func.func @generic_around(%t: tensor<6x4xf32>) -> tensor<6x4xf32> {
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %a1 = arith.constant dense<1.5> : tensor<4x6xf32>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf32>
  %e46 = tensor.empty() : tensor<4x6xf32>
  %e64 = tensor.empty() : tensor<6x4xf32>
  %x = linalg.generic {indexing_maps = [#sw, #id], iterator_types = ["parallel", "parallel"]}
      ins(%t : tensor<6x4xf32>) outs(%e46 : tensor<4x6xf32>) {
  ^bb0(%in: f32, %old: f32):
    linalg.yield %in : f32
  } -> tensor<4x6xf32>
  %gu = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bu = arith.mulf %gu, %b1 : tensor<4x4xf32>
  %au = arith.mulf %x, %a1 : tensor<4x6xf32>
  %u = linalg.matmul ins(%bu, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%au : tensor<4x6xf32>) -> tensor<4x6xf32>
  %gv = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%u, %u : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bv = arith.mulf %gv, %b1 : tensor<4x4xf32>
  %av = arith.mulf %u, %a1 : tensor<4x6xf32>
  %v = linalg.matmul ins(%bv, %u : tensor<4x4xf32>, tensor<4x6xf32>) outs(%av : tensor<4x6xf32>) -> tensor<4x6xf32>
  %y = linalg.generic {indexing_maps = [#id, #sw], iterator_types = ["parallel", "parallel"]}
      ins(%v : tensor<4x6xf32>) outs(%e64 : tensor<6x4xf32>) {
  ^bb0(%in: f32, %old: f32):
    linalg.yield %in : f32
  } -> tensor<6x4xf32>
  return %y : tensor<6x4xf32>
}

// -----

// The matrix before the second transpose is needed too: both stay.

// REMARK: remark: [Passed] {{.*}}"1 Newton–Schulz steps on tensor<4x6xf32>"

// CHECK-LABEL: func.func @used_before
// CHECK-SAME: %[[T:.*]]: tensor<6x4xf32>
// CHECK: %[[X:.*]] = linalg.transpose ins(%[[T]]
// CHECK: %[[B:.*]] = tensor.expand_shape %[[X]] {{.*}} output_shape [1, 4, 6]
// CHECK: %[[O:.*]] = muon.orthogonalize x(%[[B]]
// CHECK: %[[U:.*]] = tensor.collapse_shape %[[O]]
// CHECK: %[[Y:.*]] = linalg.transpose ins(%[[U]]
// CHECK: return %[[Y]], %[[U]]
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @used_before(%t: tensor<6x4xf32>) -> (tensor<6x4xf32>, tensor<4x6xf32>) {
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %a1 = arith.constant dense<1.5> : tensor<4x6xf32>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf32>
  %e46 = tensor.empty() : tensor<4x6xf32>
  %e64 = tensor.empty() : tensor<6x4xf32>
  %x = linalg.transpose ins(%t : tensor<6x4xf32>) outs(%e46 : tensor<4x6xf32>) permutation = [1, 0]
  %gu = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bu = arith.mulf %gu, %b1 : tensor<4x4xf32>
  %au = arith.mulf %x, %a1 : tensor<4x6xf32>
  %u = linalg.matmul ins(%bu, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%au : tensor<4x6xf32>) -> tensor<4x6xf32>
  %y = linalg.transpose ins(%u : tensor<4x6xf32>) outs(%e64 : tensor<6x4xf32>) permutation = [1, 0]
  return %y, %u : tensor<6x4xf32>, tensor<4x6xf32>
}

// -----

// The first transpose is needed elsewhere: it stays, but not for the steps.

// REMARK: remark: [Passed] {{.*}}"1 Newton–Schulz steps on tensor<6x4xf32>, without the transposes around them"

// CHECK-LABEL: func.func @used_after
// CHECK-SAME: %[[T:.*]]: tensor<6x4xf32>
// CHECK: %[[X:.*]] = linalg.transpose ins(%[[T]]
// CHECK-NOT: linalg
// CHECK: %[[B:.*]] = tensor.expand_shape %[[T]]
// CHECK: %[[O:.*]] = muon.orthogonalize x(%[[B]]
// CHECK: %[[Y:.*]] = tensor.collapse_shape %[[O]]
// CHECK: return %[[Y]], %[[X]]
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @used_after(%t: tensor<6x4xf32>) -> (tensor<6x4xf32>, tensor<4x6xf32>) {
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %a1 = arith.constant dense<1.5> : tensor<4x6xf32>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf32>
  %e46 = tensor.empty() : tensor<4x6xf32>
  %e64 = tensor.empty() : tensor<6x4xf32>
  %x = linalg.transpose ins(%t : tensor<6x4xf32>) outs(%e46 : tensor<4x6xf32>) permutation = [1, 0]
  %gu = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bu = arith.mulf %gu, %b1 : tensor<4x4xf32>
  %au = arith.mulf %x, %a1 : tensor<4x6xf32>
  %u = linalg.matmul ins(%bu, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%au : tensor<4x6xf32>) -> tensor<4x6xf32>
  %y = linalg.transpose ins(%u : tensor<4x6xf32>) outs(%e64 : tensor<6x4xf32>) permutation = [1, 0]
  return %y, %x : tensor<6x4xf32>, tensor<4x6xf32>
}

// -----

// A second transpose that names what it reads as its output as well.

// REMARK: remark: [Passed] {{.*}}"1 Newton–Schulz steps on tensor<4x4xf32>

// CHECK-LABEL: func.func @into_itself
// CHECK-SAME: %[[T:.*]]: tensor<4x4xf32>
// CHECK: muon.orthogonalize
// CHECK-NOT: arith
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @into_itself(%t: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %a1 = arith.constant dense<1.5> : tensor<4x4xf32>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf32>
  %x = linalg.transpose ins(%t : tensor<4x4xf32>) outs(%z : tensor<4x4xf32>) permutation = [1, 0]
  %gu = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x4xf32>, tensor<4x4xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bu = arith.mulf %gu, %b1 : tensor<4x4xf32>
  %au = arith.mulf %x, %a1 : tensor<4x4xf32>
  %u = linalg.matmul ins(%bu, %x : tensor<4x4xf32>, tensor<4x4xf32>) outs(%au : tensor<4x4xf32>) -> tensor<4x4xf32>
  %y = linalg.transpose ins(%u : tensor<4x4xf32>) outs(%u : tensor<4x4xf32>) permutation = [1, 0]
  return %y : tensor<4x4xf32>
}

// -----

// Square matrices: X·X is no Gram matrix.

// CHECK-LABEL: func.func @square
// CHECK-NOT: muon.orthogonalize
// CHECK: return
func.func @square(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %a1 = arith.constant dense<1.5> : tensor<4x4xf32>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf32>
  %gy = linalg.matmul ins(%x, %x : tensor<4x4xf32>, tensor<4x4xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %by = arith.mulf %gy, %b1 : tensor<4x4xf32>
  %ay = arith.mulf %x, %a1 : tensor<4x4xf32>
  %y = linalg.matmul ins(%by, %x : tensor<4x4xf32>, tensor<4x4xf32>) outs(%ay : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}
