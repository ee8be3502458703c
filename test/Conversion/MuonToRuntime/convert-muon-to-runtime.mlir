// RUN: muon-opt --convert-muon-to-runtime --split-input-file %s | FileCheck %s

// One call for all matrices: type 0 (f32), no flags, 2 matrices, n = 4, k = 6,
// alpha and beta. What is not read is x.

// CHECK-LABEL: func.func @product_left(
// CHECK-SAME: %[[X:.+]]: memref<2x4x6xf32>, %[[O:.+]]: memref<2x4x4xf32>)
// CHECK-NEXT: %[[TYPE:.+]] = arith.constant 0 : i32
// CHECK-NEXT: %[[FLAGS:.+]] = arith.constant 0 : i32
// CHECK-NEXT: %[[BATCH:.+]] = arith.constant 2 : i64
// CHECK-NEXT: %[[N:.+]] = arith.constant 4 : i64
// CHECK-NEXT: %[[K:.+]] = arith.constant 6 : i64
// CHECK-NEXT: %[[ALPHA:.+]] = arith.constant 2.500000e-01 : f64
// CHECK-NEXT: %[[BETA:.+]] = arith.constant 0.000000e+00 : f64
// CHECK-NEXT: muon.host_call "symmetric_product"(%[[TYPE]], %[[FLAGS]], %[[BATCH]], %[[N]], %[[K]], %[[ALPHA]], %[[BETA]], %[[X]], %[[X]], %[[X]], %[[O]])
// CHECK-NEXT: return
func.func @product_left(%x: memref<2x4x6xf32>, %o: memref<2x4x4xf32>) {
  muon.symmetric_product x(%x : memref<2x4x6xf32>) out(%o : memref<2x4x4xf32>) {alpha = 0.25 : f64, side = #muon.side<left>}
  return
}

// -----

// XᵀX of a tall matrix: n = 4 columns, k = 6 rows; flags 1 (right), 2 (factor)
// and 4 (addend).

// CHECK-LABEL: func.func @product_right(
// CHECK-SAME: %[[X:.+]]: memref<3x6x4xf32>, %[[A:.+]]: memref<3x4x4xf32>, %[[F:.+]]: memref<3xf32>, %[[O:.+]]: memref<3x4x4xf32>)
// CHECK-NEXT: arith.constant 0 : i32
// CHECK-NEXT: %[[FLAGS:.+]] = arith.constant 7 : i32
// CHECK-NEXT: arith.constant 3 : i64
// CHECK-NEXT: %[[N:.+]] = arith.constant 4 : i64
// CHECK-NEXT: %[[K:.+]] = arith.constant 6 : i64
// CHECK-NEXT: arith.constant 2.000000e+00 : f64
// CHECK-NEXT: %[[BETA:.+]] = arith.constant -4.750000e+00 : f64
// CHECK-NEXT: muon.host_call "symmetric_product"(%{{.+}}, %[[FLAGS]], %{{.+}}, %[[N]], %[[K]], %{{.+}}, %[[BETA]], %[[F]], %[[X]], %[[A]], %[[O]])
func.func @product_right(%x: memref<3x6x4xf32>, %a: memref<3x4x4xf32>, %f: memref<3xf32>, %o: memref<3x4x4xf32>) {
  muon.symmetric_product x(%x : memref<3x6x4xf32>) addend(%a : memref<3x4x4xf32>) factor(%f : memref<3xf32>) out(%o : memref<3x4x4xf32>) {alpha = 2.0 : f64, beta = -4.75 : f64, side = #muon.side<right>}
  return
}

// -----

// An addend with beta = 0 is not read: it may hold anything.

// CHECK-LABEL: func.func @no_share(
// CHECK-SAME: %[[X:.+]]: memref<1x4x6xf32>, %[[A:.+]]: memref<1x4x4xf32>, %[[O:.+]]: memref<1x4x4xf32>)
// CHECK-NEXT: arith.constant 0 : i32
// CHECK-NEXT: %[[FLAGS:.+]] = arith.constant 0 : i32
// CHECK: muon.host_call "symmetric_product"(%{{.+}}, %[[FLAGS]], {{.*}}, %[[X]], %[[X]], %[[X]], %[[O]])
func.func @no_share(%x: memref<1x4x6xf32>, %a: memref<1x4x4xf32>, %o: memref<1x4x4xf32>) {
  muon.symmetric_product x(%x : memref<1x4x6xf32>) addend(%a : memref<1x4x4xf32>) out(%o : memref<1x4x4xf32>) {side = #muon.side<left>}
  return
}

// -----

// f·(beta·X + alpha·S·X): m = 4 rows, n = 6 columns. Flag 8: the result is f32.

// CHECK-LABEL: func.func @apply_left(
// CHECK-SAME: %[[S:.+]]: memref<1x4x4xf32>, %[[X:.+]]: memref<1x4x6xf32>, %[[O:.+]]: memref<1x4x6xf32>)
// CHECK-NEXT: %[[TYPE:.+]] = arith.constant 0 : i32
// CHECK-NEXT: %[[FLAGS:.+]] = arith.constant 8 : i32
// CHECK-NEXT: %[[BATCH:.+]] = arith.constant 1 : i64
// CHECK-NEXT: %[[M:.+]] = arith.constant 4 : i64
// CHECK-NEXT: %[[N:.+]] = arith.constant 6 : i64
// CHECK-NEXT: %[[ALPHA:.+]] = arith.constant 2.500000e-01 : f64
// CHECK-NEXT: %[[BETA:.+]] = arith.constant 3.500000e+00 : f64
// CHECK-NEXT: muon.host_call "symmetric_apply"(%[[TYPE]], %[[FLAGS]], %[[BATCH]], %[[M]], %[[N]], %[[ALPHA]], %[[BETA]], %[[X]], %[[S]], %[[X]], %[[O]])
// CHECK-NEXT: return
func.func @apply_left(%s: memref<1x4x4xf32>, %x: memref<1x4x6xf32>, %o: memref<1x4x6xf32>) {
  muon.symmetric_apply s(%s : memref<1x4x4xf32>) x(%x : memref<1x4x6xf32>) out(%o : memref<1x4x6xf32>) {alpha = 0.25 : f64, beta = 3.5 : f64, side = #muon.side<left>}
  return
}

// -----

// X·S, of a tall matrix, with factors: m is the size of S, flags 1, 2 and 8.

// CHECK-LABEL: func.func @apply_right(
// CHECK-SAME: %[[S:.+]]: memref<3x4x4xf32>, %[[X:.+]]: memref<3x6x4xf32>, %[[F:.+]]: memref<3xf32>, %[[O:.+]]: memref<3x6x4xf32>)
// CHECK-NEXT: arith.constant 0 : i32
// CHECK-NEXT: %[[FLAGS:.+]] = arith.constant 11 : i32
// CHECK-NEXT: arith.constant 3 : i64
// CHECK-NEXT: %[[M:.+]] = arith.constant 4 : i64
// CHECK-NEXT: %[[N:.+]] = arith.constant 6 : i64
// CHECK: muon.host_call "symmetric_apply"(%{{.+}}, %[[FLAGS]], %{{.+}}, %[[M]], %[[N]], %{{.+}}, %{{.+}}, %[[F]], %[[S]], %[[X]], %[[O]])
func.func @apply_right(%s: memref<3x4x4xf32>, %x: memref<3x6x4xf32>, %f: memref<3xf32>, %o: memref<3x6x4xf32>) {
  muon.symmetric_apply s(%s : memref<3x4x4xf32>) x(%x : memref<3x6x4xf32>) factor(%f : memref<3xf32>) out(%o : memref<3x6x4xf32>) {beta = 3.5 : f64, side = #muon.side<right>}
  return
}

// -----

// The type, the batch, n, alpha and both shifts.

// CHECK-LABEL: func.func @commuting(
// CHECK-SAME: %[[A:.+]]: memref<2x4x4xf32>, %[[B:.+]]: memref<2x4x4xf32>, %[[O:.+]]: memref<2x4x4xf32>)
// CHECK-NEXT: %[[TYPE:.+]] = arith.constant 0 : i32
// CHECK-NEXT: %[[BATCH:.+]] = arith.constant 2 : i64
// CHECK-NEXT: %[[N:.+]] = arith.constant 4 : i64
// CHECK-NEXT: %[[ALPHA:.+]] = arith.constant 5.000000e-01 : f64
// CHECK-NEXT: %[[L:.+]] = arith.constant 3.000000e+00 : f64
// CHECK-NEXT: %[[R:.+]] = arith.constant -2.000000e+00 : f64
// CHECK-NEXT: muon.host_call "commuting_product"(%[[TYPE]], %[[BATCH]], %[[N]], %[[ALPHA]], %[[L]], %[[R]], %[[A]], %[[B]], %[[O]])
// CHECK-NEXT: return
func.func @commuting(%a: memref<2x4x4xf32>, %b: memref<2x4x4xf32>, %o: memref<2x4x4xf32>) {
  muon.commuting_product lhs(%a : memref<2x4x4xf32>) rhs(%b : memref<2x4x4xf32>) out(%o : memref<2x4x4xf32>) {alpha = 0.5 : f64, lhs_shift = 3.0 : f64, rhs_shift = -2.0 : f64}
  return
}

// -----

// Types: 1 is tf32, 2 bf16, 3 f16. The result of an apply may be of that type.

// CHECK-LABEL: func.func @tf32(
// CHECK-NEXT: %[[T0:.+]] = arith.constant 1 : i32
// CHECK: muon.host_call "symmetric_product"(%[[T0]],
// CHECK-NEXT: %[[T1:.+]] = arith.constant 1 : i32
// CHECK: muon.host_call "commuting_product"(%[[T1]],
// CHECK-NEXT: %[[T2:.+]] = arith.constant 1 : i32
// CHECK: muon.host_call "symmetric_apply"(%[[T2]],
func.func @tf32(%x: memref<1x4x6xf32>, %p: memref<1x4x4xf32>, %q: memref<1x4x4xf32>, %o: memref<1x4x6xf32>) {
  muon.symmetric_product x(%x : memref<1x4x6xf32>) out(%p : memref<1x4x4xf32>) {side = #muon.side<left>, tf32}
  muon.commuting_product lhs(%p : memref<1x4x4xf32>) rhs(%p : memref<1x4x4xf32>) out(%q : memref<1x4x4xf32>) {tf32}
  muon.symmetric_apply s(%q : memref<1x4x4xf32>) x(%x : memref<1x4x6xf32>) out(%o : memref<1x4x6xf32>) {side = #muon.side<left>, tf32}
  return
}

// CHECK-LABEL: func.func @bf16(
// CHECK-NEXT: %[[T0:.+]] = arith.constant 2 : i32
// CHECK: muon.host_call "symmetric_product"(%[[T0]],
// CHECK-NEXT: %[[T1:.+]] = arith.constant 2 : i32
// CHECK: muon.host_call "commuting_product"(%[[T1]],
// CHECK-NEXT: %[[T2:.+]] = arith.constant 2 : i32
// CHECK-NEXT: %[[FLAGS:.+]] = arith.constant 0 : i32
// CHECK: muon.host_call "symmetric_apply"(%[[T2]], %[[FLAGS]],
func.func @bf16(%x: memref<1x4x6xbf16>, %p: memref<1x4x4xbf16>, %q: memref<1x4x4xbf16>, %o: memref<1x4x6xbf16>) {
  muon.symmetric_product x(%x : memref<1x4x6xbf16>) out(%p : memref<1x4x4xbf16>) {side = #muon.side<left>}
  muon.commuting_product lhs(%p : memref<1x4x4xbf16>) rhs(%p : memref<1x4x4xbf16>) out(%q : memref<1x4x4xbf16>)
  muon.symmetric_apply s(%q : memref<1x4x4xbf16>) x(%x : memref<1x4x6xbf16>) out(%o : memref<1x4x6xbf16>) {side = #muon.side<left>}
  return
}

// CHECK-LABEL: func.func @f16(
// CHECK-NEXT: %[[T0:.+]] = arith.constant 3 : i32
// CHECK: muon.host_call "symmetric_product"(%[[T0]],
// CHECK-NEXT: %[[T1:.+]] = arith.constant 3 : i32
// CHECK: muon.host_call "commuting_product"(%[[T1]],
// CHECK-NEXT: %[[T2:.+]] = arith.constant 3 : i32
// CHECK-NEXT: %[[FLAGS:.+]] = arith.constant 8 : i32
// CHECK: muon.host_call "symmetric_apply"(%[[T2]], %[[FLAGS]], {{.*}} : i32, i32, i64, i64, i64, f64, f64, memref<1x4x6xf16>, memref<1x4x4xf16>, memref<1x4x6xf16>, memref<1x4x6xf32>
func.func @f16(%x: memref<1x4x6xf16>, %p: memref<1x4x4xf16>, %q: memref<1x4x4xf16>, %o: memref<1x4x6xf32>) {
  muon.symmetric_product x(%x : memref<1x4x6xf16>) out(%p : memref<1x4x4xf16>) {side = #muon.side<left>}
  muon.commuting_product lhs(%p : memref<1x4x4xf16>) rhs(%p : memref<1x4x4xf16>) out(%q : memref<1x4x4xf16>)
  muon.symmetric_apply s(%q : memref<1x4x4xf16>) x(%x : memref<1x4x6xf16>) out(%o : memref<1x4x6xf32>) {side = #muon.side<left>}
  return
}

// -----

// Values are not for this pass.

// CHECK-LABEL: func.func @values(
// CHECK: muon.symmetric_product
// CHECK: muon.commuting_product
// CHECK: muon.symmetric_apply
// CHECK-NOT: muon.host_call
func.func @values(%x: tensor<1x4x6xf32>, %o: tensor<1x4x4xf32>, %p: tensor<1x4x4xf32>, %y: tensor<1x4x6xf32>) -> tensor<1x4x6xf32> {
  %0 = muon.symmetric_product x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x4xf32>) {side = #muon.side<left>}
  %1 = muon.commuting_product lhs(%0 : tensor<1x4x4xf32>) rhs(%0 : tensor<1x4x4xf32>) out(%p : tensor<1x4x4xf32>)
  %2 = muon.symmetric_apply s(%1 : tensor<1x4x4xf32>) x(%x : tensor<1x4x6xf32>) out(%y : tensor<1x4x6xf32>) {side = #muon.side<left>}
  return %2 : tensor<1x4x6xf32>
}
