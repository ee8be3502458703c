// RUN: muon-opt --muon-outline-loops --split-input-file %s | FileCheck %s

// The body of a parallel loop becomes a function that takes what it uses from
// outside, the number of the iteration and its sums; constants move in.

// CHECK-LABEL: func.func @step(
// CHECK-SAME: %[[T:[a-z0-9]+]]: !muon.table<8x4xf32>, %[[V:[a-z0-9]+]]: memref<8xf64>, %[[S:[a-z0-9]+]]: memref<2xf64>, %[[R:[a-z0-9]+]]: memref<2xf64>, %[[F:[a-z0-9]+]]: f64)
// CHECK: muon.parallel_call @step_loop(%[[V]], %[[T]], %[[F]]) : memref<8xf64>, !muon.table<8x4xf32>, f64 sums(%[[S]], %[[R]] : memref<2xf64>, memref<2xf64>) {count = 8 : i64, group = 4 : i64}
// CHECK-NOT: muon.parallel{{ |$}}
// CHECK: muon.parallel_call @step_loop_0() {count = 3 : i64, group = 1 : i64}
// CHECK-NEXT: return

// CHECK-LABEL: func.func private @step_loop(
// CHECK-SAME: %[[V:.+]]: memref<8xf64>, %[[T:.+]]: !muon.table<8x4xf32>, %[[F:.+]]: f64, %[[I:.+]]: index, %[[P:.+]]: memref<f64>, %[[Q:.+]]: memref<f64>) {
// CHECK: %[[C2:.+]] = arith.constant 2 : index
// CHECK: %[[E:.+]] = memref.load %[[V]][%[[I]]]
// CHECK: muon.member %[[T]][%[[C2]]]
// CHECK: memref.store %[[E]], %[[P]][]
// CHECK: memref.store %[[F]], %[[Q]][]
// CHECK: return{{$}}

// CHECK-LABEL: func.func private @step_loop_0(
// CHECK-SAME: %{{.+}}: index) {
// CHECK-NEXT: return
func.func @step(%t: !muon.table<8x4xf32>, %v: memref<8xf64>, %s: memref<2xf64>, %r: memref<2xf64>, %f: f64) {
  %c2 = arith.constant 2 : index
  muon.parallel sums(%s, %r : memref<2xf64>, memref<2xf64>) {
  ^bb0(%i: index, %p: memref<f64>, %q: memref<f64>):
    %0 = memref.load %v[%i] : memref<8xf64>
    %1 = muon.member %t[%c2] : !muon.table<8x4xf32> -> memref<4xf32>
    memref.store %0, %p[] : memref<f64>
    memref.store %f, %q[] : memref<f64>
  } {count = 8 : i64, group = 4 : i64}
  muon.parallel {
  ^bb0(%i: index):
  } {count = 3 : i64, group = 1 : i64}
  return
}

// -----

// A body in a loop goes first; then the loop, with the call in it, goes into a
// function of its own. Loops in a body go along with it.

// CHECK-LABEL: func.func @nested(
// CHECK-SAME: %[[V:[a-z0-9]+]]: memref<8xf64>, %[[N:[a-z0-9]+]]: index)
// CHECK-NEXT: call @[[LOOP:.+]](%[[N]], %[[V]]) : (index, memref<8xf64>) -> ()
// CHECK-NEXT: return
// CHECK: func.func private @[[BODY:.+]](%{{.+}}: memref<8xf64>, %{{.+}}: index, %{{.+}}: index, %{{.+}}: index) {
// CHECK: scf.for
// CHECK: func.func private @[[LOOP]](%[[M:.+]]: index, %[[W:.+]]: memref<8xf64>) {
// CHECK-NEXT: scf.for %[[J:.+]] = %[[M]] to %[[M]] step %[[M]] {
// CHECK-NEXT: muon.parallel_call @[[BODY]](%[[W]], %[[J]], %[[M]]) : memref<8xf64>, index, index {count = 3 : i64, group = 1 : i64}
// CHECK-NEXT: }
func.func @nested(%v: memref<8xf64>, %n: index) {
  scf.for %j = %n to %n step %n {
    muon.parallel {
    ^bb0(%i: index):
      %0 = memref.load %v[%j] : memref<8xf64>
      scf.for %k = %i to %n step %n {
        memref.store %0, %v[%k] : memref<8xf64>
      }
    } {count = 3 : i64, group = 1 : i64}
  }
  return
}
