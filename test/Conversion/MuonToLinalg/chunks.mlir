// RUN: muon-opt --convert-muon-to-linalg --cse %s | FileCheck %s

// A matrix of more than 65,536 elements is several iterations, whose sums are
// added: 90,000 are a chunk and what remains.

// CHECK-LABEL: func.func @rest(
// CHECK-SAME: %[[V:.+]]: memref<300x300xf32>, %[[S:.+]]: memref<1xf64>)
// CHECK: muon.parallel sums(%[[S]] : memref<1xf64>) {
// CHECK-NEXT: ^bb0(%[[I:.+]]: index, %[[SUM:.+]]: memref<f64>):
// CHECK: %[[CHUNK:.+]] = arith.constant 65536 : index
// CHECK: %[[BEGIN:.+]] = arith.muli %[[I]], %[[CHUNK]] : index
// CHECK: %[[ALL:.+]] = arith.constant 90000 : index
// CHECK: %[[LEFT:.+]] = arith.subi %[[ALL]], %[[BEGIN]] : index
// CHECK: %[[SIZE:.+]] = arith.minui %[[LEFT]], %[[CHUNK]] : index
// CHECK: %[[FLAT:.+]] = memref.reinterpret_cast %[[V]] to offset: [%[[BEGIN]]], sizes: [%[[SIZE]]], strides: [1] : memref<300x300xf32> to memref<?xf32, strided<[1], offset: ?>>
// CHECK: linalg.generic {{.*}} ins(%[[FLAT]] : {{.*}}) outs(%[[SUM]] : memref<f64>)
// CHECK: } {count = 2 : i64, group = 2 : i64}
func.func @rest(%v: memref<300x300xf32>, %s: memref<1xf64>) {
  muon.sum_squares value(%v : memref<300x300xf32>) sums(%s : memref<1xf64>)
  return
}

// Chunks that are all whole have a length that is known.

// CHECK-LABEL: func.func @whole(
// CHECK-SAME: %[[V:.+]]: !muon.table<3x512x256xf32>,
// CHECK: ^bb0(%[[I:.+]]: index, %{{.+}}: memref<f64>):
// CHECK: %[[C2:.+]] = arith.constant 2 : index
// CHECK: %[[K:.+]] = arith.divui %[[I]], %[[C2]] : index
// CHECK: %[[PART:.+]] = arith.remui %[[I]], %[[C2]] : index
// CHECK: %[[BEGIN:.+]] = arith.muli %[[PART]], %{{.+}} : index
// CHECK-NOT: arith.minui
// CHECK: %[[MEMBER:.+]] = muon.member %[[V]][%[[K]]]
// CHECK: memref.reinterpret_cast %[[MEMBER]] to offset: [%[[BEGIN]]], sizes: [65536], strides: [1]
// CHECK: } {count = 6 : i64, group = 2 : i64}
func.func @whole(%v: !muon.table<3x512x256xf32>, %s: memref<3xf64>) {
  muon.sum_squares value(%v : !muon.table<3x512x256xf32>) sums(%s : memref<3xf64>)
  return
}

// One chunk exactly is not two.

// CHECK-LABEL: func.func @one(
// CHECK: memref.reinterpret_cast %{{.+}} to offset: [0], sizes: [65536], strides: [1]
// CHECK: } {count = 1 : i64, group = 1 : i64}
func.func @one(%v: memref<256x256xf32>, %s: memref<1xf64>) {
  muon.sum_squares value(%v : memref<256x256xf32>) sums(%s : memref<1xf64>)
  return
}

// Chunks of matrices of members.

// CHECK-LABEL: func.func @members(
// CHECK-SAME: %[[V:.+]]: !muon.table<3x2x300x300xf32>,
// CHECK: ^bb0(%[[I:.+]]: index, %{{.+}}: memref<f64>):
// CHECK: %[[MATRIX:.+]] = arith.divui %[[I]], %[[C2:.+]] : index
// CHECK: %[[PART:.+]] = arith.remui %[[I]], %[[C2]] : index
// CHECK: %[[BEGIN:.+]] = arith.muli %[[PART]], %{{.+}} : index
// CHECK: %[[K:.+]] = arith.divui %[[MATRIX]], %[[C2]] : index
// CHECK: %[[J:.+]] = arith.remui %[[MATRIX]], %[[C2]] : index
// CHECK: %[[MEMBER:.+]] = muon.member %[[V]][%[[K]]]
// CHECK: %[[FIRST:.+]] = arith.muli %[[J]], %{{.+}} : index
// CHECK: %[[AT:.+]] = arith.addi %[[FIRST]], %[[BEGIN]] : index
// CHECK: memref.reinterpret_cast %[[MEMBER]] to offset: [%[[AT]]], sizes: [%{{.+}}], strides: [1]
// CHECK: } {count = 12 : i64, group = 2 : i64}
func.func @members(%v: !muon.table<3x2x300x300xf32>, %s: memref<6xf64>) {
  muon.sum_squares value(%v : !muon.table<3x2x300x300xf32>) sums(%s : memref<6xf64>)
  return
}

// A number of the matrix, here its unit, is that of all of its chunks; the batch
// x is divided as the parameters are.

// CHECK-LABEL: func.func @numbers(
// CHECK-SAME: %[[U:[a-z0-9]+]]: memref<3xf64>, %[[X:[a-z0-9]+]]: memref<3x300x300xf32>
// CHECK: muon.parallel sums(
// CHECK-NEXT: ^bb0(%[[I:.+]]: index, %{{.+}}: memref<f64>):
// CHECK: %[[MATRIX:.+]] = arith.divui %[[I]], %{{.+}} : index
// CHECK: memref.load %[[U]][%[[MATRIX]]] : memref<3xf64>
// CHECK: memref.reinterpret_cast %[[X]] to offset: [%{{.+}}], sizes: [%{{.+}}], strides: [1] : memref<3x300x300xf32> to memref<?xf32, strided<[1], offset: ?>>
// CHECK: } {count = 6 : i64, group = 2 : i64}
func.func @numbers(%u: memref<3xf64>, %x: memref<3x300x300xf32>, %g: !muon.table<3x300x300xf32>, %m: !muon.table<3x300x300xf32>, %gs: memref<3xf64>, %ms: memref<3xf64>, %s: memref<3xf64>, %beta: memref<f32>) {
  muon.momentum gradient(%g : !muon.table<3x300x300xf32>) gradient_sums(%gs : memref<3xf64>) momentum_sums(%ms : memref<3xf64>) beta(%beta : memref<f32>) momentum(%m : !muon.table<3x300x300xf32>) x(%x : memref<3x300x300xf32>) sums(%s : memref<3xf64>) unit(%u : memref<3xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = false}
  return
}
