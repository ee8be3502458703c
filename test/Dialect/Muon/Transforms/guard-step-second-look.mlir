// RUN: muon-opt --muon-guard-step %s | FileCheck %s

// A look that changes the condition ends what stands under its old value.

// CHECK-LABEL: func.func @two_looks(
// CHECK: muon.look
// CHECK: %[[FIRST:.+]] = memref.load %[[OK:.+]][] : memref<i1>
// CHECK: scf.if %[[FIRST]] {
// CHECK-NEXT: muon.advance step
// CHECK-NEXT: }
// CHECK: muon.look {{.*}} ok(%[[OK]] : memref<i1>)
// CHECK: %[[SECOND:.+]] = memref.load %[[OK]][] : memref<i1>
// CHECK: scf.if %[[SECOND]] {
// CHECK-NEXT: muon.advance step
func.func @two_looks(%a: memref<1xf64>, %b: memref<1xf64>, %ok: memref<i1>, %c: memref<f32>, %s: memref<i64>, %t: memref<i64>) {
  muon.look gradients(%a : memref<1xf64>) ok(%ok : memref<i1>) clip(%c : memref<f32>)
  muon.advance when(%ok : memref<i1>) step(%s : memref<i64>)
  muon.look gradients(%b : memref<1xf64>) ok(%ok : memref<i1>) clip(%c : memref<f32>)
  muon.advance when(%ok : memref<i1>) step(%t : memref<i64>)
  return
}
