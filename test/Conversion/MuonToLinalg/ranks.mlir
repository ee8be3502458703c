// RUN: muon-opt --convert-muon-to-linalg --cse %s | FileCheck %s

// Zeros, then each run from its place to its place.

// CHECK-LABEL: func.func @place(
// CHECK-SAME: %[[A:[a-z0-9]+]]: memref<2xf64>, %[[B:[a-z0-9]+]]: memref<4xf64>, %[[OUT:[a-z0-9]+]]: memref<5xf64>)
// CHECK: %[[C5:.+]] = arith.constant 5 : index
// CHECK: scf.for %[[I:.+]] = %{{.+}} to %[[C5]]
// CHECK: %[[ZERO:.+]] = arith.constant 0.000000e+00 : f64
// CHECK: memref.store %[[ZERO]], %[[OUT]][%[[I]]]
// CHECK: %[[C2:.+]] = arith.constant 2 : index
// CHECK: scf.for %[[J:.+]] = %{{.+}} to %[[C2]]
// CHECK: %[[FROM:.+]] = arith.addi %[[J]], %{{.+}} : index
// CHECK: %[[V:.+]] = memref.load %[[A]][%[[FROM]]]
// CHECK: %[[C3:.+]] = arith.constant 3 : index
// CHECK: %[[TO:.+]] = arith.addi %[[J]], %[[C3]]
// CHECK: memref.store %[[V]], %[[OUT]][%[[TO]]]
// CHECK: scf.for %[[K:.+]] = %{{.+}} to %{{.+}} step
// CHECK: %[[FROM2:.+]] = arith.addi %[[K]], %{{.+}} : index
// CHECK: %[[W:.+]] = memref.load %[[B]][%[[FROM2]]]
// CHECK: memref.store %[[W]], %[[OUT]]
func.func @place(%a: memref<2xf64>, %b: memref<4xf64>, %out: memref<5xf64>) {
  muon.place value(%a, %b : memref<2xf64>, memref<4xf64>) out(%out : memref<5xf64>) {from = array<i64: 0, 1>, to = array<i64: 3, 0>, counts = array<i64: 2, 1>}
  return
}

// CHECK-LABEL: func.func @place_nothing(
// CHECK-COUNT-1: scf.for
// CHECK-NOT: memref.load
// CHECK-NOT: scf.for
func.func @place_nothing(%out: memref<5xf64>) {
  muon.place out(%out : memref<5xf64>) {from = array<i64>, to = array<i64>, counts = array<i64>}
  return
}

// One loop over the matrices for each block: of matrices of 20 elements, the
// second block is columns 3 and 4, and comes after the 12 elements of the first.

// CHECK-LABEL: func.func @assemble(
// CHECK-SAME: %[[B:[a-z0-9]+]]: memref<2x4x5xbf16>, %[[OUT:[a-z0-9]+]]: memref<2x4x5xbf16>)
// CHECK: muon.parallel {
// CHECK-NEXT: ^bb0(%[[I:.+]]: index):
// CHECK: memref.reinterpret_cast %[[OUT]] to offset: [%{{.+}}], sizes: [4, 3], strides: [5, 1]
// CHECK: memref.reinterpret_cast %[[B]] to offset: [%{{.+}}], sizes: [4, 3], strides: [3, 1]
// CHECK: } {count = 2 : i64, group = 1 : i64}
// CHECK: muon.parallel {
// CHECK-NEXT: ^bb0(%[[I:.+]]: index):
// CHECK: %[[C20:.+]] = arith.constant 20 : index
// CHECK: %[[MATRIX:.+]] = arith.muli %[[I]], %[[C20]] : index
// CHECK: %[[C3:.+]] = arith.constant 3 : index
// CHECK: %[[START:.+]] = arith.addi %[[MATRIX]], %[[C3]]
// CHECK: %[[WHOLE:.+]] = memref.reinterpret_cast %[[OUT]] to offset: [%[[START]]], sizes: [4, 2], strides: [5, 1]
// CHECK: %[[C12:.+]] = arith.constant 12 : index
// CHECK: %[[AT:.+]] = arith.addi %[[MATRIX]], %[[C12]]
// CHECK: %[[PART:.+]] = memref.reinterpret_cast %[[B]] to offset: [%[[AT]]], sizes: [4, 2], strides: [2, 1]
// CHECK: scf.for %[[R:.+]] =
// CHECK: scf.for %[[C:.+]] =
// CHECK: %[[V:.+]] = memref.load %[[PART]][%[[R]], %[[C]]]
// CHECK: memref.store %[[V]], %[[WHOLE]][%[[R]], %[[C]]]
func.func @assemble(%b: memref<2x4x5xbf16>, %out: memref<2x4x5xbf16>) {
  muon.assemble blocks(%b : memref<2x4x5xbf16>) out(%out : memref<2x4x5xbf16>) {row_offsets = array<i64: 0, 0>, col_offsets = array<i64: 0, 3>, rows = array<i64: 4, 4>, cols = array<i64: 3, 2>}
  return
}

// A block of 2x3 in row 1, column 2: element 7 of each matrix.

// CHECK-LABEL: func.func @divide(
// CHECK-SAME: %[[X:[a-z0-9]+]]: memref<3x4x5xf32>, %[[B:[a-z0-9]+]]: memref<3x2x3xf32>)
// CHECK: ^bb0(%[[I:.+]]: index):
// CHECK: %[[C7:.+]] = arith.constant 7 : index
// CHECK: %[[START:.+]] = arith.addi %{{.+}}, %[[C7]]
// CHECK: %[[WHOLE:.+]] = memref.reinterpret_cast %[[X]] to offset: [%[[START]]], sizes: [2, 3], strides: [5, 1]
// CHECK: %[[C6:.+]] = arith.constant 6 : index
// CHECK: %[[AT:.+]] = arith.muli %[[I]], %[[C6]]
// CHECK: %[[PART:.+]] = memref.reinterpret_cast %[[B]] to offset: [%{{.+}}], sizes: [2, 3], strides: [3, 1]
// CHECK: %[[V:.+]] = memref.load %[[WHOLE]]
// CHECK: memref.store %[[V]], %[[PART]]
// CHECK: } {count = 3 : i64, group = 1 : i64}
func.func @divide(%x: memref<3x4x5xf32>, %b: memref<3x2x3xf32>) {
  muon.divide x(%x : memref<3x4x5xf32>) blocks(%b : memref<3x2x3xf32>) {row_offsets = array<i64: 1>, col_offsets = array<i64: 2>, rows = array<i64: 2>, cols = array<i64: 3>}
  return
}

// The gradient of a stack in one buffer: member i begins at i times its size.

// CHECK-LABEL: func.func @momentum(
// CHECK-SAME: %[[G:[a-z0-9]+]]: memref<2x8x4xf32>, {{.*}} %[[M:[a-z0-9]+]]: !muon.table<2x8x4xf32>,
// CHECK: muon.parallel
// CHECK-NEXT: ^bb0(%[[I:[a-z0-9]+]]: index
// CHECK-NOT: muon.member %[[G]]
// CHECK-DAG: memref.reinterpret_cast %[[G]] to offset: [%{{.+}}], sizes: [32], strides: [1]
// CHECK-DAG: muon.member %[[M]][%[[I]]]
// CHECK: linalg.generic
func.func @momentum(%g: memref<2x8x4xf32>, %gs: memref<2xf64>, %ms: memref<2xf64>, %beta: memref<f32>, %m: !muon.table<2x8x4xf32>, %x: memref<2x8x4xf32>, %s: memref<2xf64>, %u: memref<2xf64>) {
  muon.momentum gradient(%g : memref<2x8x4xf32>) gradient_sums(%gs : memref<2xf64>) momentum_sums(%ms : memref<2xf64>) beta(%beta : memref<f32>) momentum(%m : !muon.table<2x8x4xf32>) x(%x : memref<2x8x4xf32>) sums(%s : memref<2xf64>) unit(%u : memref<2xf64>) {momentum_form = #muon.momentum_form<heavy_ball>, nesterov = true}
  return
}

// CHECK-LABEL: func.func @adamw(
// CHECK-SAME: %[[G:[a-z0-9]+]]: memref<2x8x4xf32>,
// CHECK-NOT: muon.member %[[G]]
// CHECK: memref.reinterpret_cast %[[G]] to offset: [%{{.+}}], sizes: [32], strides: [1]
func.func @adamw(%g: memref<2x8x4xf32>, %f: memref<f32>, %t: memref<i64>, %w: !muon.table<2x8x4xf32>, %m: !muon.table<2x8x4xf32>, %v: !muon.table<2x8x4xf32>) {
  muon.adamw_update gradient(%g : memref<2x8x4xf32>) lr(%f : memref<f32>) weight_decay(%f : memref<f32>) step(%t : memref<i64>) weight(%w : !muon.table<2x8x4xf32>) exp_avg(%m : !muon.table<2x8x4xf32>) exp_avg_sq(%v : !muon.table<2x8x4xf32>)
  return
}

// Rows from the diagonal on; row r starts where those before it end.

// CHECK-LABEL: func.func @pack(
// CHECK-SAME: %[[X:[a-z0-9]+]]: memref<2x3x3xf32>, %[[T:[a-z0-9]+]]: memref<2x1x6xf32>)
// CHECK: ^bb0(%[[I:[a-z0-9]+]]: index):
// CHECK: scf.for %[[ROW:.+]] = %{{.+}} to %[[SIZE:.+]] step %{{.+}} iter_args(%[[START:.+]] = %{{.+}}) -> (index) {
// CHECK: scf.for %[[COL:.+]] = %[[ROW]] to %[[SIZE]] step
// CHECK: %[[FROM:.+]] = arith.subi %[[COL]], %[[ROW]] : index
// CHECK: %[[PLACE:.+]] = arith.addi %[[START]], %[[FROM]] : index
// CHECK: %[[V:.+]] = memref.load %[[X]][%[[I]], %[[ROW]], %[[COL]]]
// CHECK: memref.store %[[V]], %[[T]][%[[I]], %{{.+}}, %[[PLACE]]]
// CHECK: %[[LENGTH:.+]] = arith.subi %[[SIZE]], %[[ROW]] : index
// CHECK: %[[NEXT:.+]] = arith.addi %[[START]], %[[LENGTH]] : index
// CHECK: scf.yield %[[NEXT]] : index
func.func @pack(%x: memref<2x3x3xf32>, %t: memref<2x1x6xf32>) {
  muon.pack_triangle x(%x : memref<2x3x3xf32>) out(%t : memref<2x1x6xf32>)
  return
}

// CHECK-LABEL: func.func @unpack(
// CHECK-SAME: %[[T:[a-z0-9]+]]: memref<2x1x6xf32>, %[[X:[a-z0-9]+]]: memref<2x3x3xf32>)
// CHECK: ^bb0(%[[I:[a-z0-9]+]]: index):
// CHECK: scf.for %[[ROW:.+]] = %{{.+}} to
// CHECK: scf.for %[[COL:.+]] = %[[ROW]] to
// CHECK: %[[V:.+]] = memref.load %[[T]][%[[I]], %{{.+}}, %{{.+}}]
// CHECK: memref.store %[[V]], %[[X]][%[[I]], %[[ROW]], %[[COL]]]
// CHECK: memref.store %[[V]], %[[X]][%[[I]], %[[COL]], %[[ROW]]]
func.func @unpack(%t: memref<2x1x6xf32>, %x: memref<2x3x3xf32>) {
  muon.unpack_triangle x(%t : memref<2x1x6xf32>) out(%x : memref<2x3x3xf32>)
  return
}
