// RUN: muon-opt --convert-muon-to-llvm --split-input-file --verify-diagnostics %s | FileCheck %s

// collective_start and collective_wait follow `launch` in the host's table. The
// buffers' addresses are in a list on the stack, made once in the entry block
// though the call is in a loop: of a memref its first element, of a table its
// first pointer.

// CHECK-LABEL: func.func @step(
// CHECK-SAME: %[[HOST:[a-z0-9]+]]: !llvm.ptr, %[[SLOTS:[a-z0-9]+]]: !llvm.ptr
// CHECK: %[[SIZE:.+]] = llvm.mlir.constant(2 : i64) : i64
// CHECK-NEXT: %[[LIST:.+]] = llvm.alloca %[[SIZE]] x i64 : (i64) -> !llvm.ptr
// CHECK: scf.for
// CHECK-NOT: llvm.alloca
// CHECK: %[[A0:.+]] = llvm.getelementptr %[[LIST]][0]
// CHECK: llvm.store %{{.+}}, %[[A0]] : !llvm.ptr, !llvm.ptr
// CHECK: %[[A1:.+]] = llvm.getelementptr %[[LIST]][8]
// CHECK: llvm.store %{{.+}}, %[[A1]] : !llvm.ptr, !llvm.ptr
// CHECK: %[[S:.+]] = llvm.getelementptr %[[HOST]][64]
// CHECK: %[[START:.+]] = llvm.load %[[S]]
// CHECK: %[[C:.+]] = llvm.getelementptr %[[HOST]][8]
// CHECK: %[[CONTEXT:.+]] = llvm.load %[[C]]
// CHECK: %[[SEVEN:.+]] = llvm.mlir.constant(7 : i32) : i32
// CHECK: llvm.call %[[START]](%[[CONTEXT]], %[[SEVEN]], %[[LIST]]) : !llvm.ptr, (!llvm.ptr, i32, !llvm.ptr) -> ()
// CHECK: }
// CHECK: %[[W:.+]] = llvm.getelementptr %[[HOST]][72]
// CHECK: %[[WAIT:.+]] = llvm.load %[[W]]
// CHECK: %[[NUMBER:.+]] = llvm.mlir.constant(7 : i32) : i32
// CHECK: llvm.call %[[WAIT]](%{{.+}}, %[[NUMBER]]) : !llvm.ptr, (!llvm.ptr, i32) -> ()
func.func @step(%host: !llvm.ptr, %slots: !llvm.ptr, %stream: !llvm.ptr, %i: index, %n: index) attributes {muon.entry} {
  %x = muon.slot 3 : memref<4x6xf32>
  %t = muon.slot 5 : !muon.table<2x4x4xf32>
  scf.for %j = %i to %n step %n {
    muon.start_collective 7(%x, %t) : memref<4x6xf32>, !muon.table<2x4x4xf32>
  }
  muon.wait_collective 7
  return
}

// -----

func.func @elsewhere(%x: memref<4xf32>) {
  // expected-error @below {{'muon.start_collective' op expected to be inside an entry function}}
  muon.start_collective 0(%x) : memref<4xf32>
  // expected-error @below {{'muon.wait_collective' op expected to be inside an entry function}}
  muon.wait_collective 0
  return
}
