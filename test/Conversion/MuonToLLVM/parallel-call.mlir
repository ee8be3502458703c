// RUN: muon-opt --convert-muon-to-llvm --split-input-file %s | FileCheck %s
// RUN: muon-opt --convert-muon-to-llvm --split-input-file %s \
// RUN:   | muon-opt --split-input-file --finalize-memref-to-llvm --convert-func-to-llvm --convert-arith-to-llvm --convert-index-to-llvm --reconcile-unrealized-casts -o %t.mlir

// What the body needs goes into an array of eight bytes each, buffers and tables
// as addresses, lists that receive sums into another; both are in the entry
// block. A function takes them out again and calls the body.

// CHECK-LABEL: llvm.func internal @body_unpack(
// CHECK-SAME: %[[DATA:.+]]: !llvm.ptr, %[[I:.+]]: i64, %[[PARTIAL:.+]]: !llvm.ptr) {
// CHECK: %[[A0:.+]] = llvm.getelementptr %[[DATA]][0] : (!llvm.ptr) -> !llvm.ptr, i8
// CHECK: %[[P0:.+]] = llvm.load %[[A0]] : !llvm.ptr -> !llvm.ptr
// CHECK: llvm.insertvalue %[[P0]]
// CHECK: %[[V0:.+]] = builtin.unrealized_conversion_cast %{{.+}} to memref<8xf32>
// CHECK: %[[A1:.+]] = llvm.getelementptr %[[DATA]][8] : (!llvm.ptr) -> !llvm.ptr, i8
// CHECK: %[[V1:.+]] = llvm.load %[[A1]] : !llvm.ptr -> !llvm.ptr
// CHECK: %[[A2:.+]] = llvm.getelementptr %[[DATA]][16] : (!llvm.ptr) -> !llvm.ptr, i8
// CHECK: %[[V2:.+]] = llvm.load %[[A2]] : !llvm.ptr -> f32
// CHECK: %[[A3:.+]] = llvm.getelementptr %[[DATA]][24] : (!llvm.ptr) -> !llvm.ptr, i8
// CHECK: %[[N3:.+]] = llvm.load %[[A3]] : !llvm.ptr -> i64
// CHECK: %[[V3:.+]] = builtin.unrealized_conversion_cast %[[N3]] : i64 to index
// CHECK: %[[INDEX:.+]] = builtin.unrealized_conversion_cast %[[I]] : i64 to index
// CHECK: llvm.getelementptr %[[PARTIAL]][0] : (!llvm.ptr) -> !llvm.ptr, i8
// CHECK: %[[S0:.+]] = builtin.unrealized_conversion_cast %{{.+}} to memref<f64>
// CHECK: llvm.getelementptr %[[PARTIAL]][8] : (!llvm.ptr) -> !llvm.ptr, i8
// CHECK: %[[S1:.+]] = builtin.unrealized_conversion_cast %{{.+}} to memref<f64>
// CHECK: call @body(%[[V0]], %[[V1]], %[[V2]], %[[V3]], %[[INDEX]], %[[S0]], %[[S1]]) : (memref<8xf32>, !llvm.ptr, f32, index, index, memref<f64>, memref<f64>) -> ()
// CHECK-NEXT: llvm.return

func.func private @body(%x: memref<8xf32>, %t: !muon.table<2x4xf32>, %f: f32, %n: index, %i: index, %p: memref<f64>, %q: memref<f64>) {
  return
}

// CHECK-LABEL: func.func @step(
// CHECK-SAME: %[[HOST:.+]]: !llvm.ptr, %{{.+}}: !llvm.ptr, %{{.+}}: !llvm.ptr, %[[X:.+]]: memref<8xf32>, %[[S:.+]]: memref<2xf64>, %[[F:.+]]: f32, %[[N:.+]]: index)
// CHECK-DAG: %[[FOUR:.+]] = llvm.mlir.constant(4 : i64) : i64
// CHECK-DAG: %[[DATA:.+]] = llvm.alloca %[[FOUR]] x i64 : (i64) -> !llvm.ptr
// CHECK-DAG: %[[TWO:.+]] = llvm.mlir.constant(2 : i64) : i64
// CHECK-DAG: %[[SUMS:.+]] = llvm.alloca %[[TWO]] x i64 : (i64) -> !llvm.ptr
// CHECK: scf.for
// CHECK-NOT: llvm.alloca
// CHECK: llvm.getelementptr %[[DATA]][0]
// CHECK: llvm.getelementptr %[[DATA]][8]
// CHECK: llvm.getelementptr %[[DATA]][16]
// CHECK: llvm.getelementptr %[[DATA]][24]
// CHECK: llvm.getelementptr %[[SUMS]][0]
// CHECK: llvm.getelementptr %[[SUMS]][8]
// CHECK: %[[AT:.+]] = llvm.getelementptr %[[HOST]][48] : (!llvm.ptr) -> !llvm.ptr, i8
// CHECK: %[[FOR:.+]] = llvm.load %[[AT]]
// CHECK: %[[AT:.+]] = llvm.getelementptr %[[HOST]][8] : (!llvm.ptr) -> !llvm.ptr, i8
// CHECK: %[[CONTEXT:.+]] = llvm.load %[[AT]]
// CHECK: %[[COUNT:.+]] = llvm.mlir.constant(6 : i64) : i64
// CHECK: %[[BODY:.+]] = llvm.mlir.addressof @body_unpack : !llvm.ptr
// CHECK: %[[NUM:.+]] = llvm.mlir.constant(2 : i64) : i64
// CHECK: %[[GROUP:.+]] = llvm.mlir.constant(3 : i64) : i64
// CHECK: llvm.call %[[FOR]](%[[CONTEXT]], %[[COUNT]], %[[BODY]], %[[DATA]], %[[NUM]], %[[GROUP]], %[[SUMS]]) : !llvm.ptr, (!llvm.ptr, i64, !llvm.ptr, !llvm.ptr, i64, i64, !llvm.ptr) -> ()
// CHECK-NOT: muon.parallel_call
func.func @step(%host: !llvm.ptr, %slots: !llvm.ptr, %stream: !llvm.ptr, %x: memref<8xf32>, %s: memref<2xf64>, %f: f32, %n: index) attributes {muon.entry} {
  %t = muon.slot 0 : !muon.table<2x4xf32>
  scf.for %j = %n to %n step %n {
    muon.parallel_call @body(%x, %t, %f, %n) : memref<8xf32>, !muon.table<2x4xf32>, f32, index
        sums(%s, %s : memref<2xf64>, memref<2xf64>) {count = 6 : i64, group = 3 : i64}
  }
  return
}

// -----

// Without operands and sums, in a function that got the host as an argument.

// CHECK-LABEL: llvm.func internal @nothing_unpack(
// CHECK-SAME: %{{.+}}: !llvm.ptr, %[[I:.+]]: i64, %{{.+}}: !llvm.ptr) {
// CHECK-NEXT: %[[INDEX:.+]] = builtin.unrealized_conversion_cast %[[I]] : i64 to index
// CHECK-NEXT: call @nothing(%[[INDEX]]) : (index) -> ()
// CHECK-LABEL: func.func private @loop(
// CHECK-SAME: %[[HOST:.+]]: !llvm.ptr) {
// CHECK: llvm.getelementptr %[[HOST]][48]
// CHECK: llvm.call
func.func private @nothing(%i: index) {
  return
}
func.func private @loop(%host: !llvm.ptr {muon.host}) {
  muon.parallel_call @nothing() {count = 1 : i64, group = 1 : i64}
  return
}
