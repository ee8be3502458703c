// RUN: muon-opt --muon-lower-entry %s | FileCheck %s

// Functions that call the host, also its parallel loop, get its table as their
// last argument, and so do those that call them. A body of a parallel loop is
// called by the host and gets what the loop gives it.

// CHECK-LABEL: func.func @step(
// CHECK-SAME: %[[HOST:.+]]: !llvm.ptr, %{{.+}}: !llvm.ptr, %{{.+}}: !llvm.ptr) -> i32
// CHECK: call @outer(%{{.+}}, %[[HOST]]) : (memref<4xf32>, !llvm.ptr) -> ()
// CHECK: call @alone(%{{.+}}) : (memref<4xf32>) -> ()
// CHECK-LABEL: func.func private @outer(
// CHECK-SAME: %[[X:.+]]: memref<4xf32>, %[[HOST:.+]]: !llvm.ptr {muon.host}) {
// CHECK-NEXT: call @loop(%[[X]], %[[HOST]]) : (memref<4xf32>, !llvm.ptr) -> ()
// CHECK-LABEL: func.func private @loop(
// CHECK-SAME: %[[X:.+]]: memref<4xf32>, %{{.+}}: !llvm.ptr {muon.host}) {
// CHECK-NEXT: muon.parallel_call @body(%[[X]]) : memref<4xf32> {count = 4 : i64, group = 1 : i64}
// CHECK-LABEL: func.func private @body(
// CHECK-SAME: %{{.+}}: memref<4xf32>, %{{.+}}: index) {
// CHECK-LABEL: func.func private @alone(
// CHECK-SAME: %{{.+}}: memref<4xf32>) {
func.func @step(%x: memref<4xf32> {muon.role = #muon.role<weight>, muon.names = ["a"]}) {
  call @outer(%x) : (memref<4xf32>) -> ()
  call @alone(%x) : (memref<4xf32>) -> ()
  return
}
func.func private @outer(%x: memref<4xf32>) {
  call @loop(%x) : (memref<4xf32>) -> ()
  return
}
func.func private @loop(%x: memref<4xf32>) {
  muon.parallel_call @body(%x) : memref<4xf32> {count = 4 : i64, group = 1 : i64}
  return
}
func.func private @body(%x: memref<4xf32>, %i: index) {
  return
}
func.func private @alone(%x: memref<4xf32>) {
  return
}
