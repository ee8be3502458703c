// RUN: muon-opt --muon-outline-loops %s | FileCheck %s

// Private functions stay as they are.

// CHECK-LABEL: func.func private @helper(
// CHECK: scf.for
func.func private @helper(%a: memref<4xf32>, %f: f32, %n: index) {
  scf.for %i = %n to %n step %n {
    memref.store %f, %a[%i] : memref<4xf32>
  }
  return
}

// Loops and streams of the step, also those under its condition, become calls;
// what they use from outside becomes arguments, constants move in. Values come
// back as results. Inner loops go along with their outer one.

// CHECK-LABEL: func.func @step(
// CHECK-SAME: %[[A:.+]]: memref<4xf32>, %[[OK:.+]]: memref<i1>, %[[F:.+]]: f32)
// CHECK: call @step_loop(%[[F]], %[[A]]) : (f32, memref<4xf32>) -> ()
// CHECK: scf.if
// CHECK-NEXT: func.call @step_loop_0(%[[A]], %[[F]])
// CHECK-NEXT: }
// CHECK: %[[R:.+]] = call @step_loop_1(%[[F]], %[[A]]) : (f32, memref<4xf32>) -> f32
// CHECK: memref.store %[[R]]
// CHECK-NOT: scf.for
// CHECK-NOT: linalg.generic
// CHECK-LABEL: func.func private @step_loop(
// CHECK-DAG: arith.constant 4 : index
// CHECK: scf.for
// CHECK: scf.for
// CHECK: memref.store
// CHECK-LABEL: func.func private @step_loop_0(
// CHECK-NEXT: linalg.generic
// CHECK-LABEL: func.func private @step_loop_1(
// CHECK: %[[SUM:.+]] = scf.for
// CHECK: return %[[SUM]] : f32
func.func @step(%a: memref<4xf32>, %ok: memref<i1>, %f: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  scf.for %i = %c0 to %c4 step %c1 {
    scf.for %j = %c0 to %c4 step %c1 {
      memref.store %f, %a[%j] : memref<4xf32>
    }
  }
  %b = memref.load %ok[] : memref<i1>
  scf.if %b {
    linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} outs(%a : memref<4xf32>) {
    ^bb0(%x: f32):
      %0 = arith.addf %x, %f : f32
      linalg.yield %0 : f32
    }
  }
  %r = scf.for %i = %c0 to %c4 step %c1 iter_args(%s = %f) -> (f32) {
    %0 = memref.load %a[%i] : memref<4xf32>
    %1 = arith.addf %s, %0 : f32
    scf.yield %1 : f32
  }
  memref.store %r, %a[%c0] : memref<4xf32>
  return
}
