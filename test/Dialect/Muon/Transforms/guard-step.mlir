// RUN: muon-opt --muon-guard-step --split-input-file %s | FileCheck %s

// From the first to the last operation that depends on %ok, with the scratch
// work between them; conditions are gone. The look stays outside.

// CHECK-LABEL: func.func @step(
// CHECK-SAME: %[[OK:[a-z0-9]+]]: memref<i1>
// CHECK: %[[SCRATCH:.+]] = memref.alloc() : memref<1xf64>
// CHECK-NEXT: muon.look
// CHECK-NEXT: %[[FLAG:.+]] = memref.load %[[OK]][] : memref<i1>
// CHECK-NEXT: scf.if %[[FLAG]] {
// CHECK-NEXT: muon.advance step(%{{.+}} : memref<i64>)
// CHECK-NEXT: muon.sum_squares value(%{{.+}} : memref<4xf32>) sums(%[[SCRATCH]] : memref<1xf64>)
// CHECK-NEXT: muon.adamw_update gradient(%{{.+}} : memref<4xf32>)
// CHECK-NOT: when(
// CHECK: {{^ +}}}
// CHECK-NEXT: return
func.func @step(%ok: memref<i1>, %clip: memref<f32>, %lr: memref<f32>, %wd: memref<f32>, %t: memref<i64>,
    %w: memref<4xf32>, %g: memref<4xf32>, %m: memref<4xf32>, %v: memref<4xf32>, %gs: memref<1xf64>) {
  %0 = memref.alloc() : memref<1xf64>
  muon.look gradients(%gs : memref<1xf64>) ok(%ok : memref<i1>) clip(%clip : memref<f32>)
  muon.advance when(%ok : memref<i1>) step(%t : memref<i64>)
  muon.sum_squares value(%g : memref<4xf32>) sums(%0 : memref<1xf64>)
  muon.adamw_update gradient(%g : memref<4xf32>) lr(%lr : memref<f32>) weight_decay(%wd : memref<f32>) step(%t : memref<i64>) when(%ok : memref<i1>) weight(%w : memref<4xf32>) exp_avg(%m : memref<4xf32>) exp_avg_sq(%v : memref<4xf32>)
  return
}

// -----

// What writes to an argument without a condition must happen anyway: it ends
// the group, and a new one begins behind it.

// CHECK-LABEL: func.func @argument_between(
// CHECK: scf.if
// CHECK-NEXT: muon.advance
// CHECK-NEXT: }
// CHECK-NEXT: muon.sum_squares
// CHECK-NEXT: memref.load
// CHECK-NEXT: scf.if
// CHECK-NEXT: muon.advance
// CHECK-NEXT: }
func.func @argument_between(%ok: memref<i1>, %t: memref<i64>, %u: memref<i64>, %g: memref<4xf32>, %s: memref<1xf64>) {
  muon.advance when(%ok : memref<i1>) step(%t : memref<i64>)
  muon.sum_squares value(%g : memref<4xf32>) sums(%s : memref<1xf64>)
  muon.advance when(%ok : memref<i1>) step(%u : memref<i64>)
  return
}

// -----

// Another operation than ours, and another condition, end it too. What comes
// after the last operation of the group stays outside.

// CHECK-LABEL: func.func @others(
// CHECK-SAME: %[[A:[a-z0-9]+]]: memref<i1>, %[[B:[a-z0-9]+]]: memref<i1>
// CHECK: memref.load %[[A]]
// CHECK-NEXT: scf.if
// CHECK-NEXT: muon.advance
// CHECK-NEXT: }
// CHECK-NEXT: memref.load %[[B]]
// CHECK-NEXT: scf.if
// CHECK-NEXT: muon.advance
// CHECK-NEXT: }
// CHECK-NEXT: memref.load %[[A]]
// CHECK-NEXT: scf.if
// CHECK-NEXT: muon.advance
// CHECK-NEXT: }
// CHECK-NEXT: memref.store
// CHECK-NEXT: memref.load %[[A]]
// CHECK-NEXT: scf.if
// CHECK-NEXT: muon.advance
// CHECK-NEXT: }
// CHECK-NEXT: muon.sum_squares
// CHECK-NEXT: return
func.func @others(%a: memref<i1>, %b: memref<i1>, %t: memref<i64>, %n: memref<f32>, %f: f32, %g: memref<4xf32>, %s: memref<1xf64>) {
  muon.advance when(%a : memref<i1>) step(%t : memref<i64>)
  muon.advance when(%b : memref<i1>) step(%t : memref<i64>)
  muon.advance when(%a : memref<i1>) step(%t : memref<i64>)
  memref.store %f, %n[] : memref<f32>
  muon.advance when(%a : memref<i1>) step(%t : memref<i64>)
  muon.sum_squares value(%g : memref<4xf32>) sums(%s : memref<1xf64>)
  return
}

// -----

// Values have no guard, and what has no condition needs none.

// CHECK-LABEL: func.func @values(
// CHECK-NOT: scf.if
// CHECK: muon.advance when(
// CHECK-LABEL: func.func @unconditional(
// CHECK-NOT: scf.if
// CHECK: muon.advance step(
func.func @values(%ok: tensor<i1>, %t: tensor<i64>) -> tensor<i64> {
  %0 = muon.advance when(%ok : tensor<i1>) step(%t : tensor<i64>)
  return %0 : tensor<i64>
}
func.func @unconditional(%t: memref<i64>) {
  muon.advance step(%t : memref<i64>)
  return
}
