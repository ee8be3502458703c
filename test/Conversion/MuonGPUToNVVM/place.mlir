// RUN: muon-opt --convert-muon-gpu-to-nvvm --canonicalize --cse %s | FileCheck %s

// Runs in the order of their places, whatever theirs is, and zeros between them
// and after the last: each number is written once.

func.func @place(%a: memref<2xf64>, %b: memref<4xf64>, %out: memref<9xf64>) {
  muon_gpu.launch {
    muon.place value(%a, %b : memref<2xf64>, memref<4xf64>) out(%out : memref<9xf64>) {from = array<i64: 0, 1>, to = array<i64: 5, 0>, counts = array<i64: 2, 3>}
  } {phase = "place"}
  return
}

// CHECK-LABEL: gpu.func @place_0(
// CHECK-SAME: %[[SLOTS:[^:]+]]: !llvm.ptr<1>
// CHECK-DAG: %[[ZERO:.+]] = arith.constant 0.000000e+00 : f64
// CHECK-DAG: %[[C1:.+]] = arith.constant 1 : i64
// CHECK-DAG: %[[C2:.+]] = arith.constant 2 : i64
// CHECK-DAG: %[[C3:.+]] = arith.constant 3 : i64
// CHECK-DAG: %[[C5:.+]] = arith.constant 5 : i64
// CHECK-DAG: %[[C7:.+]] = arith.constant 7 : i64
// CHECK-DAG: %[[C8:.+]] = arith.constant 8 : i64
// CHECK: %[[A:.+]] = llvm.load %[[SLOTS]] {{.*}} -> !llvm.ptr<1>
// CHECK: %[[SLOT1:.+]] = llvm.getelementptr %[[SLOTS]][8]
// CHECK: %[[B:.+]] = llvm.load %[[SLOT1]] {{.*}} -> !llvm.ptr<1>
// CHECK: %[[SLOT2:.+]] = llvm.getelementptr %[[SLOTS]][16]
// CHECK: %[[OUT:.+]] = llvm.load %[[SLOT2]] {{.*}} -> !llvm.ptr<1>
// CHECK-NEXT: scf.for %[[I:.+]] = %{{.+}} to %[[C3]] step
// CHECK-NEXT: %[[FROM:.+]] = arith.addi %[[I]], %[[C1]] : i64
// CHECK-NEXT: %[[AT:.+]] = arith.muli %[[FROM]], %[[C8]] : i64
// CHECK-NEXT: %[[SOURCE:.+]] = llvm.getelementptr %[[B]][%[[AT]]]
// CHECK-NEXT: %[[V:.+]] = llvm.load %[[SOURCE]] : !llvm.ptr<1> -> f64
// CHECK-NEXT: %[[TO:.+]] = arith.muli %[[I]], %[[C8]] : i64
// CHECK-NEXT: %[[TARGET:.+]] = llvm.getelementptr %[[OUT]][%[[TO]]]
// CHECK-NEXT: llvm.store %[[V]], %[[TARGET]] : f64
// CHECK: scf.for %[[J:.+]] = %{{.+}} to %[[C2]] step
// CHECK-NEXT: arith.addi %[[J]], %[[C3]] : i64
// CHECK: llvm.store %[[ZERO]], %{{.+}} : f64
// CHECK: scf.for %[[K:.+]] = %{{.+}} to %[[C2]] step
// CHECK: llvm.getelementptr %[[A]][
// CHECK: arith.addi %[[K]], %[[C5]] : i64
// CHECK: llvm.store %{{.+}} : f64
// CHECK: scf.for %[[L:.+]] = %{{.+}} to %[[C2]] step
// CHECK-NEXT: arith.addi %[[L]], %[[C7]] : i64
// CHECK: llvm.store %[[ZERO]], %{{.+}} : f64
// CHECK-NOT: scf.for
// CHECK: gpu.return

// With what it has for operands in the same block, there is a barrier between.

func.func @after(%p: memref<6xf64>, %s: memref<2xf64>, %out: memref<2xf64>) {
  muon_gpu.launch {
    muon_gpu.reduce partials(%p : memref<6xf64>) sums(%s : memref<2xf64>)
    muon.place value(%s : memref<2xf64>) out(%out : memref<2xf64>) {from = array<i64: 0>, to = array<i64: 0>, counts = array<i64: 2>}
  } {phase = "after"}
  return
}

// CHECK-LABEL: gpu.func @after_1(
// CHECK: llvm.store %{{.+}} : f64, !llvm.ptr<1>
// CHECK: nvvm.barrier0
// CHECK: scf.for
// CHECK: llvm.store %{{.+}} : f64, !llvm.ptr<1>
// CHECK-NOT: 0.000000e+00
// CHECK: gpu.return

// Nothing but zeros.

func.func @nothing(%out: memref<5xf64>) {
  muon_gpu.launch {
    muon.place out(%out : memref<5xf64>) {from = array<i64>, to = array<i64>, counts = array<i64>}
  } {phase = "nothing"}
  return
}

// CHECK-LABEL: gpu.func @nothing_2(
// CHECK-COUNT-1: scf.for
// CHECK-NOT: scf.for
// CHECK: gpu.return
