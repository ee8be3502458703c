// RUN: muon-opt --muon-guard-step --split-input-file %s | FileCheck %s

// Scratch that is read where the guard does not hold may not be skipped.

// A second look: its flag decides about %u whether or not %ok holds.

// CHECK-LABEL: func.func @second_look(
// CHECK: scf.if
// CHECK-NEXT: muon.advance
// CHECK-NEXT: }
// CHECK-NEXT: muon.look
func.func @second_look(%s: memref<1xf64>, %t: memref<i64>, %u: memref<i64>, %ok: memref<i1>) {
  %ok2 = memref.alloc() : memref<i1>
  %clip2 = memref.alloc() : memref<f32>
  muon.advance when(%ok : memref<i1>) step(%t : memref<i64>)
  muon.look gradients(%s : memref<1xf64>) ok(%ok2 : memref<i1>) clip(%clip2 : memref<f32>)
  muon.advance when(%ok : memref<i1>) step(%t : memref<i64>)
  muon.advance when(%ok2 : memref<i1>) step(%u : memref<i64>)
  return
}

// -----

// Part of an argument is an argument.

// CHECK-LABEL: func.func @view_of_argument(
// CHECK: scf.if
// CHECK-NEXT: muon.advance
// CHECK-NEXT: }
// CHECK-NEXT: muon.sum_squares
func.func @view_of_argument(%g: memref<4xf32>, %t: memref<i64>, %ok: memref<i1>, %s: memref<4xf64>) {
  %0 = memref.subview %s[0] [1] [1] : memref<4xf64> to memref<1xf64>
  muon.advance when(%ok : memref<i1>) step(%t : memref<i64>)
  muon.sum_squares value(%g : memref<4xf32>) sums(%0 : memref<1xf64>)
  muon.advance when(%ok : memref<i1>) step(%t : memref<i64>)
  return
}
