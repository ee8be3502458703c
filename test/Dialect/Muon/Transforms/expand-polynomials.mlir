// RUN: muon-opt --muon-expand-polynomials %s | FileCheck %s

// aX + PX with P = bA + cA²; the Gram matrix A stands on the left of a wide X:
// 4×4.

// CHECK-LABEL: func.func @left(
// CHECK-SAME: %[[X:.+]]: tensor<2x4x6xf32>, %[[F:.+]]: tensor<2xf32>, %[[O:.+]]: tensor<2x4x6xf32>)
// CHECK: %[[E0:.+]] = tensor.empty() : tensor<2x4x4xf32>
// CHECK: %[[A:.+]] = muon.symmetric_product x(%[[X]] : tensor<2x4x6xf32>) factor(%[[F]] : tensor<2xf32>) out(%[[E0]] : tensor<2x4x4xf32>)
// CHECK-SAME: {alpha = 1.000000e+00 : f64, beta = 0.000000e+00 : f64, side = #muon.side<left>}
// CHECK: %[[E1:.+]] = tensor.empty() : tensor<2x4x4xf32>
// CHECK: %[[P:.+]] = muon.symmetric_product x(%[[A]] : tensor<2x4x4xf32>) addend(%[[A]] : tensor<2x4x4xf32>) out(%[[E1]] : tensor<2x4x4xf32>)
// CHECK-SAME: {alpha = 2.000000e+00 : f64, beta = -4.750000e+00 : f64, side = #muon.side<left>}
// CHECK: %[[Y:.+]] = muon.symmetric_apply s(%[[P]] : tensor<2x4x4xf32>) x(%[[X]] : tensor<2x4x6xf32>) factor(%[[F]] : tensor<2xf32>) out(%[[O]] : tensor<2x4x6xf32>)
// CHECK-SAME: {alpha = 1.000000e+00 : f64, beta = 3.500000e+00 : f64, side = #muon.side<left>}
// CHECK: return %[[Y]]
func.func @left(%x: tensor<2x4x6xf32>, %f: tensor<2xf32>, %o: tensor<2x4x6xf32>) -> tensor<2x4x6xf32> {
  %0 = muon.polynomial_step x(%x : tensor<2x4x6xf32>) factor(%f : tensor<2xf32>) out(%o : tensor<2x4x6xf32>) {a = 3.5 : f64, b = -4.75 : f64, c = 2.0 : f64, side = #muon.side<left>}
  return %0 : tensor<2x4x6xf32>
}

// On the right of a tall X: 4×4 again. A² has no side.

// CHECK-LABEL: func.func @right(
// CHECK-SAME: %[[X:.+]]: tensor<1x6x4xf32>, %[[O:.+]]: tensor<1x6x4xf32>)
// CHECK: %[[A:.+]] = muon.symmetric_product x(%[[X]] : tensor<1x6x4xf32>) out(%{{.+}} : tensor<1x4x4xf32>)
// CHECK-SAME: side = #muon.side<right>
// CHECK: %[[P:.+]] = muon.symmetric_product x(%[[A]] : tensor<1x4x4xf32>) addend(%[[A]] : tensor<1x4x4xf32>)
// CHECK-SAME: side = #muon.side<left>
// CHECK: muon.symmetric_apply s(%[[P]] : tensor<1x4x4xf32>) x(%[[X]] : tensor<1x6x4xf32>) out(%[[O]] : tensor<1x6x4xf32>)
// CHECK-SAME: {alpha = 1.000000e+00 : f64, beta = 3.500000e+00 : f64, side = #muon.side<right>}
func.func @right(%x: tensor<1x6x4xf32>, %o: tensor<1x6x4xf32>) -> tensor<1x6x4xf32> {
  %0 = muon.polynomial_step x(%x : tensor<1x6x4xf32>) out(%o : tensor<1x6x4xf32>) {a = 3.5 : f64, b = -4.75 : f64, c = 2.0 : f64, side = #muon.side<right>}
  return %0 : tensor<1x6x4xf32>
}

// With c = 0 there is no A²: P = bA comes straight from X.

// CHECK-LABEL: func.func @cubic_left(
// CHECK-SAME: %[[X:.+]]: tensor<1x4x6xf32>, %[[F:.+]]: tensor<1xf32>, %[[O:.+]]: tensor<1x4x6xf32>)
// CHECK: %[[P:.+]] = muon.symmetric_product x(%[[X]] : tensor<1x4x6xf32>) factor(%[[F]] : tensor<1xf32>) out(%{{.+}} : tensor<1x4x4xf32>)
// CHECK-SAME: {alpha = -5.000000e-01 : f64, beta = 0.000000e+00 : f64, side = #muon.side<left>}
// CHECK-NOT: muon.symmetric_product
// CHECK: muon.symmetric_apply s(%[[P]] : tensor<1x4x4xf32>) x(%[[X]] : tensor<1x4x6xf32>) factor(%[[F]] : tensor<1xf32>) out(%[[O]] : tensor<1x4x6xf32>) {alpha = 1.000000e+00 : f64, beta = 1.500000e+00 : f64, side = #muon.side<left>}
func.func @cubic_left(%x: tensor<1x4x6xf32>, %f: tensor<1xf32>, %o: tensor<1x4x6xf32>) -> tensor<1x4x6xf32> {
  %0 = muon.polynomial_step x(%x : tensor<1x4x6xf32>) factor(%f : tensor<1xf32>) out(%o : tensor<1x4x6xf32>) {a = 1.5 : f64, b = -0.5 : f64, c = 0.0 : f64, side = #muon.side<left>}
  return %0 : tensor<1x4x6xf32>
}

// CHECK-LABEL: func.func @cubic_right(
// CHECK: %[[P:.+]] = muon.symmetric_product {{.*}} out(%{{.+}} : tensor<1x4x4xf32>)
// CHECK-SAME: {alpha = -5.000000e-01 : f64, beta = 0.000000e+00 : f64, side = #muon.side<right>}
// CHECK-NOT: muon.symmetric_product
// CHECK: muon.symmetric_apply s(%[[P]] {{.*}} {alpha = 1.000000e+00 : f64, beta = 1.500000e+00 : f64, side = #muon.side<right>}
func.func @cubic_right(%x: tensor<1x6x4xf32>, %o: tensor<1x6x4xf32>) -> tensor<1x6x4xf32> {
  %0 = muon.polynomial_step x(%x : tensor<1x6x4xf32>) out(%o : tensor<1x6x4xf32>) {a = 1.5 : f64, b = -0.5 : f64, c = -0.0 : f64, side = #muon.side<right>}
  return %0 : tensor<1x6x4xf32>
}

// With tf32, all products have it.

// CHECK-LABEL: func.func @tf32(
// CHECK-COUNT-2: muon.symmetric_product {{.*}} side = #muon.side<left>, tf32}
// CHECK: muon.symmetric_apply {{.*}} side = #muon.side<left>, tf32}
func.func @tf32(%x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) -> tensor<1x4x6xf32> {
  %0 = muon.polynomial_step x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>) {a = 3.5 : f64, b = -4.75 : f64, c = 2.0 : f64, side = #muon.side<left>, tf32}
  return %0 : tensor<1x4x6xf32>
}

// bf16 has the range of f32: constants are those of the polynomial. The last
// product may keep f32.

// CHECK-LABEL: func.func @bf16(
// CHECK: muon.symmetric_product {{.*}} out(%{{.+}} : tensor<1x4x4xbf16>) {alpha = 1.000000e+00 : f64, beta = 0.000000e+00 : f64,
// CHECK: muon.symmetric_product {{.*}} out(%{{.+}} : tensor<1x4x4xbf16>) {alpha = 2.000000e+00 : f64, beta = -4.750000e+00 : f64,
// CHECK: muon.symmetric_apply {{.*}} out(%{{.+}} : tensor<1x4x6xf32>) {alpha = 1.000000e+00 : f64, beta = 3.500000e+00 : f64,
func.func @bf16(%x: tensor<1x4x6xbf16>, %o: tensor<1x4x6xf32>) -> tensor<1x4x6xf32> {
  %0 = muon.polynomial_step x(%x : tensor<1x4x6xbf16>) out(%o : tensor<1x4x6xf32>) {a = 3.5 : f64, b = -4.75 : f64, c = 2.0 : f64, side = #muon.side<left>}
  return %0 : tensor<1x4x6xf32>
}

// In f16, whose range is small, A and P are stored times powers of two, which
// the next product takes back. ‖X‖₂ ≤ 1.5 (2.25 for A): 2¹³·A and, as |bA + cA²|
// is 2.8203 at most (at A = 4.75/4), 2¹³·P are at most 2¹⁵.
// 2⁻¹³·2 = 2.44e-4.

// CHECK-LABEL: func.func @f16(
// CHECK: muon.symmetric_product {{.*}} out(%{{.+}} : tensor<1x4x4xf16>) {alpha = 8.192000e+03 : f64, beta = 0.000000e+00 : f64,
// CHECK: muon.symmetric_product {{.*}} out(%{{.+}} : tensor<1x4x4xf16>) {alpha = 2.44140625E-4 : f64, beta = -4.750000e+00 : f64,
// CHECK: muon.symmetric_apply {{.*}} {alpha = 1.220703125E-4 : f64, beta = 3.500000e+00 : f64,
func.func @f16(%x: tensor<1x4x6xf16>, %o: tensor<1x4x6xf16>) -> tensor<1x4x6xf16> {
  %0 = muon.polynomial_step x(%x : tensor<1x4x6xf16>) out(%o : tensor<1x4x6xf16>) {a = 3.5 : f64, b = -4.75 : f64, c = 2.0 : f64, side = #muon.side<left>}
  return %0 : tensor<1x4x6xf16>
}

// The same with c = 0: P = −A/2, at most 1.125 in norm, is stored times 2¹⁴.

// CHECK-LABEL: func.func @f16_cubic(
// CHECK: muon.symmetric_product {{.*}} {alpha = -8.192000e+03 : f64, beta = 0.000000e+00 : f64,
// CHECK: muon.symmetric_apply {{.*}} {alpha = 6.103515625E-5 : f64, beta = 1.500000e+00 : f64,
func.func @f16_cubic(%x: tensor<1x4x6xf16>, %o: tensor<1x4x6xf16>) -> tensor<1x4x6xf16> {
  %0 = muon.polynomial_step x(%x : tensor<1x4x6xf16>) out(%o : tensor<1x4x6xf16>) {a = 1.5 : f64, b = -0.5 : f64, c = 0.0 : f64, side = #muon.side<left>}
  return %0 : tensor<1x4x6xf16>
}
