// RUN: muon-opt --muon-unroll-orthogonalize %s | FileCheck %s

// One step for each, in the order of the schedule; the first takes the factor,
// the last writes where the iteration was to write.

// CHECK-LABEL: func.func @literal(
// CHECK-SAME: %[[X:.+]]: tensor<2x4x6xf32>, %[[F:.+]]: tensor<2xf32>, %[[O:.+]]: tensor<2x4x6xf32>)
// CHECK-DAG: %[[E0:.+]] = tensor.empty() : tensor<2x4x6xf32>
// CHECK: %[[X1:.+]] = muon.polynomial_step x(%[[X]] : tensor<2x4x6xf32>) factor(%[[F]] : tensor<2xf32>) out(%[[E0]] : tensor<2x4x6xf32>)
// CHECK-SAME: {a = 2.000000e+00 : f64, b = -1.500000e+00 : f64, c = 5.000000e-01 : f64, side = #muon.side<left>}
// CHECK: %[[E1:.+]] = tensor.empty() : tensor<2x4x6xf32>
// CHECK: %[[X2:.+]] = muon.polynomial_step x(%[[X1]] : tensor<2x4x6xf32>) out(%[[E1]] : tensor<2x4x6xf32>)
// CHECK-SAME: {a = 1.875000e+00 : f64, b = -1.250000e+00 : f64, c = 3.750000e-01 : f64, side = #muon.side<left>}
// The schedule is at its end: its last entry again.
// CHECK: %[[X3:.+]] = muon.polynomial_step x(%[[X2]] : tensor<2x4x6xf32>) out(%[[O]] : tensor<2x4x6xf32>)
// CHECK-SAME: {a = 1.875000e+00 : f64, b = -1.250000e+00 : f64, c = 3.750000e-01 : f64, side = #muon.side<left>}
// CHECK-NOT: muon.
// CHECK: return %[[X3]]
func.func @literal(%x: tensor<2x4x6xf32>, %f: tensor<2xf32>, %o: tensor<2x4x6xf32>) -> tensor<2x4x6xf32> {
  %0 = muon.orthogonalize x(%x : tensor<2x4x6xf32>) factor(%f : tensor<2xf32>) out(%o : tensor<2x4x6xf32>)
    {schedule = #muon.schedule<[2.0, -1.5, 0.5], [1.875, -1.25, 0.375]>, steps = 3 : i64,
     side = #muon.side<left>, iteration = #muon.iteration<direct>, compute = #muon.compute<f32>}
  return %0 : tensor<2x4x6xf32>
}

// CHECK-LABEL: func.func @one_step(
// CHECK-SAME: %[[X:.+]]: tensor<1x6x4xf32>, %[[O:.+]]: tensor<1x6x4xf32>)
// CHECK-NOT: tensor.empty
// CHECK: %[[Y:.+]] = muon.polynomial_step x(%[[X]] : tensor<1x6x4xf32>) out(%[[O]] : tensor<1x6x4xf32>)
// CHECK-SAME: {a = 3.444500e+00 : f64, b = -4.775000e+00 : f64, c = 2.031500e+00 : f64, side = #muon.side<right>}
// CHECK-NEXT: return %[[Y]]
func.func @one_step(%x: tensor<1x6x4xf32>, %o: tensor<1x6x4xf32>) -> tensor<1x6x4xf32> {
  %0 = muon.orthogonalize x(%x : tensor<1x6x4xf32>) out(%o : tensor<1x6x4xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 1 : i64,
     side = #muon.side<right>, iteration = #muon.iteration<direct>, compute = #muon.compute<f32>}
  return %0 : tensor<1x6x4xf32>
}

// What is not decided is left alone.

// CHECK-LABEL: func.func @undecided(
// CHECK-COUNT-3: muon.orthogonalize
// CHECK-NOT: muon.polynomial_step
func.func @undecided(%x: tensor<1x6x4xf32>, %o: tensor<1x6x4xf32>) -> tensor<1x6x4xf32> {
  %0 = muon.orthogonalize x(%x : tensor<1x6x4xf32>) out(%o : tensor<1x6x4xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 1 : i64,
     iteration = #muon.iteration<direct>, compute = #muon.compute<f32>}
  %1 = muon.orthogonalize x(%x : tensor<1x6x4xf32>) out(%0 : tensor<1x6x4xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 1 : i64,
     side = #muon.side<right>, compute = #muon.compute<f32>}
  %2 = muon.orthogonalize x(%x : tensor<1x6x4xf32>) out(%1 : tensor<1x6x4xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 1 : i64,
     side = #muon.side<right>, iteration = #muon.iteration<direct>}
  return %2 : tensor<1x6x4xf32>
}

// Three products for each step with c ≠ 0 but the last, which forms no R, and
// the first, which has no Q yet: R, Z, R(Z + aI), (Z + aI)R(Z + aI), Z, Q. The
// factor is on both sides of R and once in QX.

// CHECK-LABEL: func.func @gram_left(
// CHECK-SAME: %[[X:.+]]: tensor<2x4x6xf32>, %[[F:.+]]: tensor<2xf32>, %[[O:.+]]: tensor<2x4x6xf32>)
// CHECK: %[[R0:.+]] = muon.symmetric_product x(%[[X]] : tensor<2x4x6xf32>) factor(%[[F]] : tensor<2xf32>) out(%{{.+}} : tensor<2x4x4xf32>) {alpha = 1.000000e+00 : f64, beta = 0.000000e+00 : f64, side = #muon.side<left>}
// CHECK: %[[Z0:.+]] = muon.symmetric_product x(%[[R0]] : tensor<2x4x4xf32>) addend(%[[R0]] : tensor<2x4x4xf32>) out(%{{.+}} : tensor<2x4x4xf32>) {alpha = 5.000000e-01 : f64, beta = -1.500000e+00 : f64, side = #muon.side<left>}
// CHECK: %[[H0:.+]] = muon.commuting_product lhs(%[[R0]] : tensor<2x4x4xf32>) rhs(%[[Z0]] : tensor<2x4x4xf32>) {{.*}} {alpha = 1.000000e+00 : f64, lhs_shift = 0.000000e+00 : f64, rhs_shift = 2.000000e+00 : f64}
// CHECK: %[[R1:.+]] = muon.commuting_product lhs(%[[Z0]] : tensor<2x4x4xf32>) rhs(%[[H0]] : tensor<2x4x4xf32>) {{.*}} {alpha = 1.000000e+00 : f64, lhs_shift = 2.000000e+00 : f64, rhs_shift = 0.000000e+00 : f64}
// CHECK: %[[Z1:.+]] = muon.symmetric_product x(%[[R1]] : tensor<2x4x4xf32>) addend(%[[R1]] : tensor<2x4x4xf32>) {{.*}} {alpha = 3.750000e-01 : f64, beta = -1.250000e+00 : f64, side = #muon.side<left>}
// CHECK: %[[Q1:.+]] = muon.commuting_product lhs(%[[Z0]] : tensor<2x4x4xf32>) rhs(%[[Z1]] : tensor<2x4x4xf32>) {{.*}} {alpha = 1.000000e+00 : f64, lhs_shift = 2.000000e+00 : f64, rhs_shift = 1.875000e+00 : f64}
// CHECK: %[[Y:.+]] = muon.symmetric_apply s(%[[Q1]] : tensor<2x4x4xf32>) x(%[[X]] : tensor<2x4x6xf32>) factor(%[[F]] : tensor<2xf32>) out(%[[O]] : tensor<2x4x6xf32>) {alpha = 1.000000e+00 : f64, beta = 0.000000e+00 : f64, side = #muon.side<left>}
// CHECK-NOT: = muon.
// CHECK: return %[[Y]]
func.func @gram_left(%x: tensor<2x4x6xf32>, %f: tensor<2xf32>, %o: tensor<2x4x6xf32>) -> tensor<2x4x6xf32> {
  %0 = muon.orthogonalize x(%x : tensor<2x4x6xf32>) factor(%f : tensor<2xf32>) out(%o : tensor<2x4x6xf32>)
    {schedule = #muon.schedule<[2.0, -1.5, 0.5], [1.875, -1.25, 0.375]>, steps = 2 : i64,
     side = #muon.side<left>, iteration = #muon.iteration<gram>, compute = #muon.compute<f32>}
  return %0 : tensor<2x4x6xf32>
}

// On the right only the first and the last product have a side. The third step
// multiplies the Q of the first two, whose identity is in it already.

// CHECK-LABEL: func.func @gram_right(
// CHECK-SAME: %[[X:.+]]: tensor<1x6x4xf32>, %[[O:.+]]: tensor<1x6x4xf32>)
// CHECK: muon.symmetric_product x(%[[X]] : tensor<1x6x4xf32>) out(%{{.+}} : tensor<1x4x4xf32>) {{{.*}}side = #muon.side<right>}
// CHECK: muon.symmetric_product {{.*}} side = #muon.side<left>}
// CHECK: muon.commuting_product
// CHECK: muon.commuting_product
// CHECK: muon.symmetric_product {{.*}} side = #muon.side<left>}
// CHECK: %[[Q1:.+]] = muon.commuting_product
// CHECK: muon.commuting_product
// CHECK: muon.commuting_product
// CHECK: %[[Z2:.+]] = muon.symmetric_product
// CHECK: %[[Q2:.+]] = muon.commuting_product lhs(%[[Q1]] : tensor<1x4x4xf32>) rhs(%[[Z2]] : tensor<1x4x4xf32>) {{.*}} {alpha = 1.000000e+00 : f64, lhs_shift = 0.000000e+00 : f64, rhs_shift = 1.875000e+00 : f64}
// CHECK: muon.symmetric_apply s(%[[Q2]] : tensor<1x4x4xf32>) x(%[[X]] : tensor<1x6x4xf32>) out(%[[O]] : tensor<1x6x4xf32>) {{{.*}}side = #muon.side<right>}
// CHECK-NOT: = muon.
// CHECK: return
func.func @gram_right(%x: tensor<1x6x4xf32>, %o: tensor<1x6x4xf32>) -> tensor<1x6x4xf32> {
  %0 = muon.orthogonalize x(%x : tensor<1x6x4xf32>) out(%o : tensor<1x6x4xf32>)
    {schedule = #muon.schedule<[2.0, -1.5, 0.5], [1.875, -1.25, 0.375]>, steps = 3 : i64,
     side = #muon.side<right>, iteration = #muon.iteration<gram>, compute = #muon.compute<f32>}
  return %0 : tensor<1x6x4xf32>
}

// A segment of one step is a step of the direct iteration; each restart forms X
// and takes it from there, and only the first segment takes the factor.

// CHECK-LABEL: func.func @restarts(
// CHECK-SAME: %[[X:.+]]: tensor<1x4x6xf32>, %[[F:.+]]: tensor<1xf32>, %[[O:.+]]: tensor<1x4x6xf32>)
// CHECK: %[[X1:.+]] = muon.polynomial_step x(%[[X]] : tensor<1x4x6xf32>) factor(%[[F]] : tensor<1xf32>) out(%{{.+}} : tensor<1x4x6xf32>) {a = 3.444500e+00 : f64,
// CHECK: muon.symmetric_product x(%[[X1]] : tensor<1x4x6xf32>) out(
// CHECK: %[[X3:.+]] = muon.symmetric_apply s(%{{.+}} : tensor<1x4x4xf32>) x(%[[X1]] : tensor<1x4x6xf32>) out(%{{.+}} : tensor<1x4x6xf32>)
// CHECK: muon.symmetric_product x(%[[X3]] : tensor<1x4x6xf32>) out(
// CHECK: %[[X5:.+]] = muon.symmetric_apply s(%{{.+}} : tensor<1x4x4xf32>) x(%[[X3]] : tensor<1x4x6xf32>) out(%[[O]] : tensor<1x4x6xf32>)
// CHECK-NOT: = muon.
// CHECK: return %[[X5]]
func.func @restarts(%x: tensor<1x4x6xf32>, %f: tensor<1xf32>, %o: tensor<1x4x6xf32>) -> tensor<1x4x6xf32> {
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) factor(%f : tensor<1xf32>) out(%o : tensor<1x4x6xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, restarts = array<i64: 1, 3>,
     side = #muon.side<left>, iteration = #muon.iteration<gram>, compute = #muon.compute<f32>}
  return %0 : tensor<1x4x6xf32>
}

// With c = 0, Z = bR is R with other constants: (Z + aI) = b(R + a/b I).

// CHECK-LABEL: func.func @cubic(
// CHECK-SAME: %[[X:.+]]: tensor<1x4x6xf32>, %[[O:.+]]: tensor<1x4x6xf32>)
// CHECK: %[[R0:.+]] = muon.symmetric_product x(%[[X]] : tensor<1x4x6xf32>)
// CHECK: %[[H0:.+]] = muon.commuting_product lhs(%[[R0]] : tensor<1x4x4xf32>) rhs(%[[R0]] : tensor<1x4x4xf32>) {{.*}} {alpha = -5.000000e-01 : f64, lhs_shift = 0.000000e+00 : f64, rhs_shift = -3.000000e+00 : f64}
// CHECK: %[[R1:.+]] = muon.commuting_product lhs(%[[R0]] : tensor<1x4x4xf32>) rhs(%[[H0]] : tensor<1x4x4xf32>) {{.*}} {alpha = -5.000000e-01 : f64, lhs_shift = -3.000000e+00 : f64, rhs_shift = 0.000000e+00 : f64}
// CHECK: %[[Q1:.+]] = muon.commuting_product lhs(%[[R0]] : tensor<1x4x4xf32>) rhs(%[[R1]] : tensor<1x4x4xf32>) {{.*}} {alpha = 2.500000e-01 : f64, lhs_shift = -3.000000e+00 : f64, rhs_shift = -3.000000e+00 : f64}
// CHECK: muon.symmetric_apply s(%[[Q1]] : tensor<1x4x4xf32>)
// CHECK-NOT: = muon.
// CHECK: return
func.func @cubic(%x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) -> tensor<1x4x6xf32> {
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>)
    {schedule = #muon.schedule<[1.5, -0.5, 0.0]>, steps = 2 : i64,
     side = #muon.side<left>, iteration = #muon.iteration<gram>, compute = #muon.compute<f32>}
  return %0 : tensor<1x4x6xf32>
}

// In f16 each matrix is stored times a power of two that keeps its bound, for
// ‖X‖₂ ≤ 1.5, below 2¹⁵: R ≤ 2.25 times 2¹³, |−1.5R + R²/2| ≤ 1.125 times 2¹⁴, and
// R(2 − 1.5R + R²/2) ≤ 2.61 times 2¹³. Constants take these powers back:
// 2¹⁴ · 0.5 / 2²⁶ = 1.22e-4, 2¹⁴ · −1.5 / 2¹³ = −3, 2¹⁴ · 2 = 32768.

// CHECK-LABEL: func.func @f16(
// CHECK: muon.symmetric_product {{.*}} out(%{{.+}} : tensor<1x4x4xf16>) {alpha = 8.192000e+03 : f64, beta = 0.000000e+00 : f64,
// CHECK: muon.symmetric_product {{.*}} {alpha = 1.220703125E-4 : f64, beta = -3.000000e+00 : f64,
// CHECK: muon.commuting_product {{.*}} lhs_shift = 0.000000e+00 : f64, rhs_shift = 3.276800e+04 : f64}
// CHECK: muon.commuting_product {{.*}} lhs_shift = 3.276800e+04 : f64, rhs_shift = 0.000000e+00 : f64}
// CHECK: muon.symmetric_apply {{.*}} out(%{{.+}} : tensor<1x4x6xf32>) {alpha = 1.220703125E-4 : f64, beta = 0.000000e+00 : f64,
func.func @f16(%x: tensor<1x4x6xf16>, %f: tensor<1xf32>, %o: tensor<1x4x6xf32>) -> tensor<1x4x6xf32> {
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf16>) factor(%f : tensor<1xf32>) out(%o : tensor<1x4x6xf32>)
    {schedule = #muon.schedule<[2.0, -1.5, 0.5], [1.875, -1.25, 0.375]>, steps = 2 : i64,
     side = #muon.side<left>, iteration = #muon.iteration<gram>, compute = #muon.compute<f16>}
  return %0 : tensor<1x4x6xf32>
}

// X between restarts has the type of the products, only the last one that of the
// result.

// CHECK-LABEL: func.func @types_between(
// CHECK: muon.symmetric_apply {{.*}} out(%{{.+}} : tensor<1x4x6xf16>)
// CHECK: muon.symmetric_apply {{.*}} out(%{{.+}} : tensor<1x4x6xf32>)
func.func @types_between(%x: tensor<1x4x6xf16>, %o: tensor<1x4x6xf32>) -> tensor<1x4x6xf32> {
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf16>) out(%o : tensor<1x4x6xf32>)
    {schedule = #muon.schedule<you>, steps = 4 : i64, restarts = array<i64: 2>,
     side = #muon.side<left>, iteration = #muon.iteration<gram>, compute = #muon.compute<f16>}
  return %0 : tensor<1x4x6xf32>
}

// With tf32 all products have it, in either iteration.

// CHECK-LABEL: func.func @tf32(
// CHECK: muon.polynomial_step {{.*}} side = #muon.side<left>, tf32}
// CHECK: muon.symmetric_product {{.*}}, tf32}
// CHECK: muon.symmetric_product {{.*}}, tf32}
// CHECK: muon.commuting_product {{.*}}, tf32}
// CHECK: muon.commuting_product {{.*}}, tf32}
// CHECK: muon.symmetric_product {{.*}}, tf32}
// CHECK: muon.commuting_product {{.*}}, tf32}
// CHECK: muon.symmetric_apply {{.*}}, tf32}
// CHECK-NOT: = muon.
// CHECK: return
func.func @tf32(%x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) -> tensor<1x4x6xf32> {
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>)
    {schedule = #muon.schedule<you>, steps = 3 : i64, restarts = array<i64: 1>,
     side = #muon.side<left>, iteration = #muon.iteration<gram>, compute = #muon.compute<tf32>}
  return %0 : tensor<1x4x6xf32>
}
