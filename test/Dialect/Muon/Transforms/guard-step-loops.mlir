// RUN: muon-opt --muon-guard-step --split-input-file %s | FileCheck %s

// A loop whose operations have one condition has it too. What else is in it only
// writes scratch memory of the loop.

// CHECK-LABEL: func.func @loop(
// CHECK-SAME: %[[OK:[a-z0-9]+]]: memref<i1>
// CHECK: %[[FLAG:.+]] = memref.load %[[OK]][] : memref<i1>
// CHECK-NEXT: scf.if %[[FLAG]] {
// CHECK-NEXT: scf.for
// CHECK: muon.sum_squares
// CHECK-NEXT: muon.advance step(
// CHECK-NEXT: }
// CHECK-NEXT: muon.advance step(
// CHECK-NEXT: }
// CHECK-NEXT: return
func.func @loop(%ok: memref<i1>, %t: memref<i64>, %g: memref<4xf32>, %i: index) {
  scf.for %j = %i to %i step %i {
    %0 = memref.alloc() : memref<1xf64>
    muon.sum_squares value(%g : memref<4xf32>) sums(%0 : memref<1xf64>)
    muon.advance when(%ok : memref<i1>) step(%t : memref<i64>)
  }
  muon.advance when(%ok : memref<i1>) step(%t : memref<i64>)
  return
}

// -----

// Scratch memory that a view of the arena stands for.

// CHECK-LABEL: func.func @arena(
// CHECK: scf.if
// CHECK-NEXT: scf.for
func.func @arena(%ok: memref<i1>, %t: memref<i64>, %g: memref<4xf32>, %i: index) {
  %0 = muon.arena : memref<64xi8>
  %1 = memref.view %0[%i][] : memref<64xi8> to memref<8xf64>
  scf.for %j = %i to %i step %i {
    %2 = muon.slice %1[%j] : memref<8xf64> to memref<1xf64>
    muon.sum_squares value(%g : memref<4xf32>) sums(%2 : memref<1xf64>)
    muon.advance when(%ok : memref<i1>) step(%t : memref<i64>)
  }
  return
}

// -----

// A loop that writes to an argument without a condition must run.

// CHECK-LABEL: func.func @argument(
// CHECK-NOT: scf.if
// CHECK: scf.for
// CHECK: muon.advance when(
func.func @argument(%ok: memref<i1>, %t: memref<i64>, %g: memref<4xf32>, %s: memref<1xf64>, %i: index) {
  scf.for %j = %i to %i step %i {
    muon.sum_squares value(%g : memref<4xf32>) sums(%s : memref<1xf64>)
    muon.advance when(%ok : memref<i1>) step(%t : memref<i64>)
  }
  return
}

// -----

// And one whose scratch memory is looked at later.

// CHECK-LABEL: func.func @used_later(
// CHECK-NOT: scf.if
// CHECK: scf.for
// CHECK: muon.advance when(
func.func @used_later(%ok: memref<i1>, %t: memref<i64>, %g: memref<4xf32>, %clip: memref<f32>, %i: index) {
  %0 = memref.alloc() : memref<1xf64>
  scf.for %j = %i to %i step %i {
    muon.sum_squares value(%g : memref<4xf32>) sums(%0 : memref<1xf64>)
    muon.advance when(%ok : memref<i1>) step(%t : memref<i64>)
  }
  muon.look gradients(%0 : memref<1xf64>) ok(%ok : memref<i1>) clip(%clip : memref<f32>)
  return
}

// -----

// Or that has two conditions.

// CHECK-LABEL: func.func @two_conditions(
// CHECK-NOT: scf.if
// CHECK: muon.advance when(
// CHECK: muon.advance when(
func.func @two_conditions(%a: memref<i1>, %b: memref<i1>, %t: memref<i64>, %u: memref<i64>, %i: index) {
  scf.for %j = %i to %i step %i {
    muon.advance when(%a : memref<i1>) step(%t : memref<i64>)
    muon.advance when(%b : memref<i1>) step(%u : memref<i64>)
  }
  return
}

// -----

// Or whose condition is its own.

// CHECK-LABEL: func.func @inner_condition(
// CHECK-NOT: scf.if
// CHECK: muon.advance when(
func.func @inner_condition(%ok: memref<2x1xi1>, %t: memref<i64>, %i: index) {
  scf.for %j = %i to %i step %i {
    %0 = memref.alloc() : memref<i1>
    muon.advance when(%0 : memref<i1>) step(%t : memref<i64>)
  }
  return
}

// -----

// Or that does something else.

// CHECK-LABEL: func.func @other(
// CHECK-NOT: scf.if
// CHECK: muon.advance when(
func.func @other(%ok: memref<i1>, %t: memref<i64>, %a: memref<4xf32>, %f: f32, %i: index) {
  scf.for %j = %i to %i step %i {
    memref.store %f, %a[%j] : memref<4xf32>
    muon.advance when(%ok : memref<i1>) step(%t : memref<i64>)
  }
  return
}
