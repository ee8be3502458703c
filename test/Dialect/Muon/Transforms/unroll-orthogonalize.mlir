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
