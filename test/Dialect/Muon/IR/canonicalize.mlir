// RUN: muon-opt --canonicalize --split-input-file %s | FileCheck %s

// CHECK-LABEL: func.func @always(
// CHECK-SAME: %[[T:.+]]: tensor<i64>)
// CHECK-NEXT: %[[R:.+]] = muon.advance step(%[[T]] : tensor<i64>)
// CHECK-NEXT: return %[[R]]
func.func @always(%t: tensor<i64>) -> tensor<i64> {
  %true = arith.constant dense<true> : tensor<i1>
  %0 = muon.advance when(%true : tensor<i1>) step(%t : tensor<i64>)
  return %0 : tensor<i64>
}

// -----

// CHECK-LABEL: func.func @never(
// CHECK-SAME: %[[LR:[a-z0-9]+]]: tensor<f32>, %[[G:[a-z0-9]+]]: tensor<4xf32>, %[[T:[a-z0-9]+]]: tensor<i64>, %[[W:[a-z0-9]+]]: tensor<4xf32>, %[[M:[a-z0-9]+]]: tensor<4xf32>, %[[V:[a-z0-9]+]]: tensor<4xf32>)
// CHECK-NEXT: return %[[W]], %[[M]], %[[V]]
func.func @never(%lr: tensor<f32>, %g: tensor<4xf32>, %t: tensor<i64>, %w: tensor<4xf32>, %m: tensor<4xf32>, %v: tensor<4xf32>)
    -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %false = arith.constant dense<false> : tensor<i1>
  %0:3 = muon.adamw_update gradient(%g : tensor<4xf32>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) step(%t : tensor<i64>) when(%false : tensor<i1>) weight(%w : tensor<4xf32>) exp_avg(%m : tensor<4xf32>) exp_avg_sq(%v : tensor<4xf32>)
  return %0#0, %0#1, %0#2 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// -----

// CHECK-LABEL: func.func @run_time(
// CHECK: muon.advance when(
func.func @run_time(%ok: tensor<i1>, %t: tensor<i64>) -> tensor<i64> {
  %0 = muon.advance when(%ok : tensor<i1>) step(%t : tensor<i64>)
  return %0 : tensor<i64>
}

// -----

// CHECK-LABEL: func.func @unit_factor(
// CHECK: muon.polynomial_step x({{[^)]*}}) out(
// CHECK: muon.orthogonalize x({{[^)]*}}) out(
// CHECK: muon.symmetric_product x({{[^)]*}}) out(
// CHECK: muon.symmetric_apply s({{[^)]*}}) x({{[^)]*}}) out(
func.func @unit_factor(%x: tensor<2x4x4xf32>, %o: tensor<2x4x4xf32>)
    -> (tensor<2x4x4xf32>, tensor<2x4x4xf32>, tensor<2x4x4xf32>, tensor<2x4x4xf32>) {
  %one = arith.constant dense<1.0> : tensor<2xf32>
  %0 = muon.polynomial_step x(%x : tensor<2x4x4xf32>) factor(%one : tensor<2xf32>) out(%o : tensor<2x4x4xf32>) {a = 2.0 : f64, b = -1.5 : f64, c = 0.5 : f64, side = #muon.side<left>}
  %1 = muon.orthogonalize x(%x : tensor<2x4x4xf32>) factor(%one : tensor<2xf32>) out(%o : tensor<2x4x4xf32>) {schedule = #muon.schedule<you>, steps = 2 : i64}
  %2 = muon.symmetric_product x(%x : tensor<2x4x4xf32>) factor(%one : tensor<2xf32>) out(%o : tensor<2x4x4xf32>) {side = #muon.side<left>}
  %3 = muon.symmetric_apply s(%x : tensor<2x4x4xf32>) x(%o : tensor<2x4x4xf32>) factor(%one : tensor<2xf32>) out(%o : tensor<2x4x4xf32>) {side = #muon.side<left>}
  return %0, %1, %2, %3 : tensor<2x4x4xf32>, tensor<2x4x4xf32>, tensor<2x4x4xf32>, tensor<2x4x4xf32>
}

// -----

// One of two factors is not 1.

// CHECK-LABEL: func.func @other_factor(
// CHECK: muon.symmetric_product x({{[^)]*}}) factor(
func.func @other_factor(%x: tensor<2x4x4xf32>, %o: tensor<2x4x4xf32>) -> tensor<2x4x4xf32> {
  %f = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %0 = muon.symmetric_product x(%x : tensor<2x4x4xf32>) factor(%f : tensor<2xf32>) out(%o : tensor<2x4x4xf32>) {side = #muon.side<left>}
  return %0 : tensor<2x4x4xf32>
}

// -----

// CHECK-LABEL: func.func @addend(
// CHECK: muon.symmetric_product x({{[^)]*}}) out(
// CHECK: muon.symmetric_product x({{[^)]*}}) addend(
func.func @addend(%x: tensor<1x4x4xf32>, %o: tensor<1x4x4xf32>) -> (tensor<1x4x4xf32>, tensor<1x4x4xf32>) {
  %0 = muon.symmetric_product x(%x : tensor<1x4x4xf32>) addend(%x : tensor<1x4x4xf32>) out(%o : tensor<1x4x4xf32>) {beta = 0.0 : f64, side = #muon.side<left>}
  %1 = muon.symmetric_product x(%x : tensor<1x4x4xf32>) addend(%x : tensor<1x4x4xf32>) out(%o : tensor<1x4x4xf32>) {beta = 0.5 : f64, side = #muon.side<left>}
  return %0, %1 : tensor<1x4x4xf32>, tensor<1x4x4xf32>
}

// -----

// What is left out is only the factor or the addend: products keep their
// precision and constants.

// CHECK-LABEL: func.func @tf32_stays(
// CHECK: muon.symmetric_product x({{[^)]*}}) out({{.*}} {alpha = 2.000000e+00 : f64, beta = 0.000000e+00 : f64, side = #muon.side<left>, tf32}
// CHECK: muon.symmetric_apply s({{[^)]*}}) x({{[^)]*}}) out({{.*}} {alpha = 2.500000e-01 : f64, beta = 3.000000e+00 : f64, side = #muon.side<left>, tf32}
// CHECK: muon.orthogonalize x({{[^)]*}}) out({{.*}} restarts = array<i64: 1>
func.func @tf32_stays(%x: tensor<1x4x4xf32>, %o: tensor<1x4x4xf32>) -> (tensor<1x4x4xf32>, tensor<1x4x4xf32>, tensor<1x4x4xf32>) {
  %one = arith.constant dense<1.0> : tensor<1xf32>
  %0 = muon.symmetric_product x(%x : tensor<1x4x4xf32>) addend(%x : tensor<1x4x4xf32>) factor(%one : tensor<1xf32>) out(%o : tensor<1x4x4xf32>) {alpha = 2.0 : f64, side = #muon.side<left>, tf32}
  %1 = muon.symmetric_apply s(%x : tensor<1x4x4xf32>) x(%x : tensor<1x4x4xf32>) factor(%one : tensor<1xf32>) out(%o : tensor<1x4x4xf32>) {alpha = 0.25 : f64, beta = 3.0 : f64, side = #muon.side<left>, tf32}
  %2 = muon.orthogonalize x(%x : tensor<1x4x4xf32>) factor(%one : tensor<1xf32>) out(%o : tensor<1x4x4xf32>) {schedule = #muon.schedule<you>, steps = 2 : i64, iteration = #muon.iteration<gram>, restarts = array<i64: 1>}
  return %0, %1, %2 : tensor<1x4x4xf32>, tensor<1x4x4xf32>, tensor<1x4x4xf32>
}

// -----

// A look that lets every step pass: nobody has to wait for it. Momenta decide
// nothing, gradients only about a clip coefficient.

// CHECK-LABEL: func.func @look_without_guard(
// CHECK-SAME: %[[G:[a-z0-9]+]]: tensor<1xf64>, %[[M:[a-z0-9]+]]: tensor<2xf64>, %[[L:[a-z0-9]+]]: tensor<f32>, %[[OK:[a-z0-9]+]]: tensor<i1>, %[[C:[a-z0-9]+]]: tensor<f32>, %[[T:[a-z0-9]+]]: tensor<i64>)
// CHECK-NEXT: %[[NONE:.+]]:2 = muon.look ok(%[[OK]] : tensor<i1>) clip(%[[C]] : tensor<f32>) {skip_nonfinite = false}
// CHECK-NEXT: %[[T0:.+]] = muon.advance step(%[[T]] : tensor<i64>)
// CHECK-NEXT: %[[CLIP:.+]]:2 = muon.look gradients(%[[G]] : tensor<1xf64>) limit(%[[L]] : tensor<f32>) ok(%[[NONE]]#0 : tensor<i1>) clip(%[[NONE]]#1 : tensor<f32>) {skip_nonfinite = false}
// CHECK-NEXT: %[[T1:.+]] = muon.advance step(%[[T0]] : tensor<i64>)
// CHECK-NEXT: return %[[CLIP]]#0, %[[CLIP]]#1, %[[T1]]
func.func @look_without_guard(%g: tensor<1xf64>, %m: tensor<2xf64>, %l: tensor<f32>, %ok: tensor<i1>, %c: tensor<f32>, %t: tensor<i64>) -> (tensor<i1>, tensor<f32>, tensor<i64>) {
  %0:2 = muon.look gradients(%g : tensor<1xf64>) momenta(%m : tensor<2xf64>) ok(%ok : tensor<i1>) clip(%c : tensor<f32>) {skip_nonfinite = false}
  %1 = muon.advance when(%0#0 : tensor<i1>) step(%t : tensor<i64>)
  %2:2 = muon.look gradients(%g : tensor<1xf64>) momenta(%m : tensor<2xf64>) limit(%l : tensor<f32>) ok(%0#0 : tensor<i1>) clip(%0#1 : tensor<f32>) {skip_nonfinite = false}
  %3 = muon.advance when(%2#0 : tensor<i1>) step(%1 : tensor<i64>)
  return %2#0, %2#1, %3 : tensor<i1>, tensor<f32>, tensor<i64>
}

// -----

// CHECK-LABEL: func.func @look_with_guard(
// CHECK: muon.look gradients({{.*}}) momenta(
// CHECK: muon.advance when(
func.func @look_with_guard(%g: tensor<1xf64>, %m: tensor<2xf64>, %ok: tensor<i1>, %c: tensor<f32>, %t: tensor<i64>) -> tensor<i64> {
  %0:2 = muon.look gradients(%g : tensor<1xf64>) momenta(%m : tensor<2xf64>) ok(%ok : tensor<i1>) clip(%c : tensor<f32>) {skip_nonfinite = true}
  %1 = muon.advance when(%0#0 : tensor<i1>) step(%t : tensor<i64>)
  return %1 : tensor<i64>
}

// -----

// On buffers, where another may have written the flag since, only operands go.

// CHECK-LABEL: func.func @look_on_buffers(
// CHECK-NEXT: muon.look ok(
// CHECK-NEXT: muon.advance when(
func.func @look_on_buffers(%g: memref<1xf64>, %ok: memref<i1>, %c: memref<f32>, %t: memref<i64>) {
  muon.look gradients(%g : memref<1xf64>) ok(%ok : memref<i1>) clip(%c : memref<f32>) {skip_nonfinite = false}
  muon.advance when(%ok : memref<i1>) step(%t : memref<i64>)
  return
}
