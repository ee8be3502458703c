// RUN: muon-opt --muon-raise --canonicalize --split-input-file --remarks-filter=muon-raise %s -o %t.mlir 2> %t.remarks
// RUN: FileCheck %s --input-file=%t.mlir
// RUN: FileCheck %s --input-file=%t.remarks --check-prefix=REMARK --implicit-check-not=remark:

// Products that sum bf16 in f32, and go back.

// REMARK: remark: [Passed] {{.*}}"2 Newton–Schulz steps on tensor<4x6xbf16>"

// CHECK-LABEL: func.func @bf16
// CHECK-SAME: %[[X:.*]]: tensor<4x6xbf16>
// CHECK-NOT: linalg
// CHECK: muon.orthogonalize x(%{{.*}} : tensor<1x4x6xbf16>) out(%{{.*}} : tensor<1x4x6xf32>) {{.*}}<[1.500000e+00, -5.000000e-01, 0.000000e+00]>{{.*}}steps = 2
// CHECK: %[[Y:.*]] = tensor.collapse_shape
// CHECK: %[[R:.*]] = arith.truncf %[[Y]]
// CHECK: return %[[R]]
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @bf16(%x: tensor<4x6xbf16>) -> tensor<4x6xbf16> {
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %a1 = arith.constant dense<1.5> : tensor<4x6xf32>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf32>
  %gu = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xbf16>, tensor<4x6xbf16>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bu = arith.mulf %gu, %b1 : tensor<4x4xf32>
  %nu = arith.truncf %bu : tensor<4x4xf32> to tensor<4x4xbf16>
  %wu = arith.extf %x : tensor<4x6xbf16> to tensor<4x6xf32>
  %au = arith.mulf %wu, %a1 : tensor<4x6xf32>
  %su = linalg.matmul ins(%nu, %x : tensor<4x4xbf16>, tensor<4x6xbf16>) outs(%au : tensor<4x6xf32>) -> tensor<4x6xf32>
  %u = arith.truncf %su : tensor<4x6xf32> to tensor<4x6xbf16>
  %gy = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%u, %u : tensor<4x6xbf16>, tensor<4x6xbf16>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %by = arith.mulf %gy, %b1 : tensor<4x4xf32>
  %ny = arith.truncf %by : tensor<4x4xf32> to tensor<4x4xbf16>
  %wy = arith.extf %u : tensor<4x6xbf16> to tensor<4x6xf32>
  %ay = arith.mulf %wy, %a1 : tensor<4x6xf32>
  %sy = linalg.matmul ins(%ny, %u : tensor<4x4xbf16>, tensor<4x6xbf16>) outs(%ay : tensor<4x6xf32>) -> tensor<4x6xf32>
  %y = arith.truncf %sy : tensor<4x6xf32> to tensor<4x6xbf16>
  return %y : tensor<4x6xbf16>
}

// -----

// All of it in f16.

// REMARK: remark: [Passed] {{.*}}"1 Newton–Schulz steps on tensor<4x6xf16>"

// CHECK-LABEL: func.func @f16
// CHECK-NOT: linalg
// CHECK: muon.orthogonalize x(%{{.*}} : tensor<1x4x6xf16>) out(%{{.*}} : tensor<1x4x6xf16>) {{.*}}<[1.500000e+00, -5.000000e-01, 0.000000e+00]>
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @f16(%x: tensor<4x6xf16>) -> tensor<4x6xf16> {
  %z = arith.constant dense<0.0> : tensor<4x4xf16>
  %a1 = arith.constant dense<1.5> : tensor<4x6xf16>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf16>
  %gy = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf16>, tensor<4x6xf16>) outs(%z : tensor<4x4xf16>) -> tensor<4x4xf16>
  %by = arith.mulf %gy, %b1 : tensor<4x4xf16>
  %ay = arith.mulf %x, %a1 : tensor<4x6xf16>
  %y = linalg.matmul ins(%by, %x : tensor<4x4xf16>, tensor<4x6xf16>) outs(%ay : tensor<4x6xf16>) -> tensor<4x6xf16>
  return %y : tensor<4x6xf16>
}

// -----

// Rounded to bf16 before, and summed in f32: X is what is rounded.

// REMARK: remark: [Passed] {{.*}}"1 Newton–Schulz steps on tensor<4x6xbf16>"

// CHECK-LABEL: func.func @narrowed
// CHECK-SAME: %[[X:.*]]: tensor<4x6xf32>
// CHECK: %[[N:.*]] = arith.truncf %[[X]]
// CHECK: %[[B:.*]] = tensor.expand_shape %[[N]]
// CHECK: muon.orthogonalize x(%[[B]] : tensor<1x4x6xbf16>)
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @narrowed(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %a1 = arith.constant dense<1.5> : tensor<4x6xf32>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf32>
  %n = arith.truncf %x : tensor<4x6xf32> to tensor<4x6xbf16>
  %g = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%n, %n : tensor<4x6xbf16>, tensor<4x6xbf16>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %b = arith.mulf %g, %b1 : tensor<4x4xf32>
  %bn = arith.truncf %b : tensor<4x4xf32> to tensor<4x4xbf16>
  %w = arith.extf %n : tensor<4x6xbf16> to tensor<4x6xf32>
  %a = arith.mulf %w, %a1 : tensor<4x6xf32>
  %y = linalg.matmul ins(%bn, %n : tensor<4x4xbf16>, tensor<4x6xbf16>) outs(%a : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

// f64 is none that muon.orthogonalize takes.

// REMARK: [[#@LINE+15]]:8: remark: [Missed] NewtonSchulz | {{.*}}"a Newton–Schulz step from tensor<4x6xf64> to tensor<4x6xf64> is none that muon.orthogonalize does: expected equal static shapes, elements of f32, bf16 or f16, results of the same type or f32, and finite coefficients"

// CHECK-LABEL: func.func @f64
// CHECK-NOT: muon.orthogonalize
// CHECK: return
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @f64(%x: tensor<4x6xf64>) -> tensor<4x6xf64> {
  %z = arith.constant dense<0.0> : tensor<4x4xf64>
  %a1 = arith.constant dense<1.5> : tensor<4x6xf64>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf64>
  %gy = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf64>, tensor<4x6xf64>) outs(%z : tensor<4x4xf64>) -> tensor<4x4xf64>
  %by = arith.mulf %gy, %b1 : tensor<4x4xf64>
  %ay = arith.mulf %x, %a1 : tensor<4x6xf64>
  %y = linalg.matmul ins(%by, %x : tensor<4x4xf64>, tensor<4x6xf64>) outs(%ay : tensor<4x6xf64>) -> tensor<4x6xf64>
  return %y : tensor<4x6xf64>
}

// -----

// Nor are shapes that are not known.

// REMARK: remark: [Missed] {{.*}}"a Newton–Schulz step from tensor<?x6xf32> to tensor<?x6xf32> is none that muon.orthogonalize does: expected equal static shapes{{.*}}"

// CHECK-LABEL: func.func @dynamic
// CHECK-NOT: muon.orthogonalize
// CHECK: return
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @dynamic(%x: tensor<?x6xf32>) -> tensor<?x6xf32> {
  %i0 = arith.constant 0 : index
  %n = tensor.dim %x, %i0 : tensor<?x6xf32>
  %f0 = arith.constant 0.0 : f32
  %fa = arith.constant 1.5 : f32
  %fb = arith.constant -0.5 : f32
  %e44 = tensor.empty(%n, %n) : tensor<?x?xf32>
  %e46 = tensor.empty(%n) : tensor<?x6xf32>
  %z = linalg.fill ins(%f0 : f32) outs(%e44 : tensor<?x?xf32>) -> tensor<?x?xf32>
  %a1 = linalg.fill ins(%fa : f32) outs(%e46 : tensor<?x6xf32>) -> tensor<?x6xf32>
  %b1 = linalg.fill ins(%fb : f32) outs(%e44 : tensor<?x?xf32>) -> tensor<?x?xf32>
  %gy = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<?x6xf32>, tensor<?x6xf32>) outs(%z : tensor<?x?xf32>) -> tensor<?x?xf32>
  %by = arith.mulf %gy, %b1 : tensor<?x?xf32>
  %ay = arith.mulf %x, %a1 : tensor<?x6xf32>
  %y = linalg.matmul ins(%by, %x : tensor<?x?xf32>, tensor<?x6xf32>) outs(%ay : tensor<?x6xf32>) -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}
