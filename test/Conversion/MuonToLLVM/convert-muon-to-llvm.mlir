// RUN: muon-opt --convert-muon-to-llvm %s | FileCheck %s

// The host's table: version and size, then context at 8, arena at 16, and from 24
// symmetric_product, commuting_product, symmetric_apply and parallel_for. Slots
// are pointers; a table is the address of its first.

// CHECK-LABEL: func.func @step(
// CHECK-SAME: %[[HOST:.+]]: !llvm.ptr, %[[SLOTS:.+]]: !llvm.ptr, %{{.+}}: !llvm.ptr, %[[I:.+]]: index
func.func @step(%host: !llvm.ptr, %slots: !llvm.ptr, %stream: !llvm.ptr, %i: index,
                %w: i32, %n: i64, %f: f64) attributes {muon.entry} {
  // CHECK: %[[A0:.+]] = llvm.getelementptr %[[SLOTS]][24] : (!llvm.ptr) -> !llvm.ptr, i8
  // CHECK: %[[P0:.+]] = llvm.load %[[A0]] : !llvm.ptr -> !llvm.ptr
  // CHECK: llvm.insertvalue %[[P0]], %{{.+}}[0] : !llvm.struct<(ptr, ptr, i64, array<2 x i64>, array<2 x i64>)>
  // CHECK: %[[X:.+]] = builtin.unrealized_conversion_cast %{{.+}} : !llvm.struct<(ptr, ptr, i64, array<2 x i64>, array<2 x i64>)> to memref<4x6xf32>
  %x = muon.slot 3 : memref<4x6xf32>
  // CHECK: %[[A1:.+]] = llvm.getelementptr %[[SLOTS]][40] : (!llvm.ptr) -> !llvm.ptr, i8
  // CHECK-NOT: llvm.load
  // CHECK: %[[T:.+]] = builtin.unrealized_conversion_cast %[[A1]] : !llvm.ptr to !muon.table<2x4x4xf32>
  %t = muon.slot 5 : !muon.table<2x4x4xf32>
  // CHECK: %[[TP:.+]] = builtin.unrealized_conversion_cast %[[T]] : !muon.table<2x4x4xf32> to !llvm.ptr
  // CHECK: %[[IX:.+]] = arith.index_cast %[[I]] : index to i64
  // CHECK: %[[A2:.+]] = llvm.getelementptr %[[TP]][%[[IX]]] : (!llvm.ptr, i64) -> !llvm.ptr, !llvm.ptr
  // CHECK: %[[P2:.+]] = llvm.load %[[A2]] : !llvm.ptr -> !llvm.ptr
  // CHECK: llvm.insertvalue %[[P2]]
  // CHECK: %[[O:.+]] = builtin.unrealized_conversion_cast %{{.+}} to memref<4x4xf32>
  %o = muon.member %t[%i] : !muon.table<2x4x4xf32> -> memref<4x4xf32>
  // CHECK: %[[A3:.+]] = llvm.getelementptr %[[HOST]][16] : (!llvm.ptr) -> !llvm.ptr, i8
  // CHECK: %[[P3:.+]] = llvm.load %[[A3]] : !llvm.ptr -> !llvm.ptr
  // CHECK: llvm.insertvalue %[[P3]]
  %a = muon.arena : memref<64xi8>
  // CHECK: %[[A4:.+]] = llvm.getelementptr %[[HOST]][24] : (!llvm.ptr) -> !llvm.ptr, i8
  // CHECK: %[[FN:.+]] = llvm.load %[[A4]] : !llvm.ptr -> !llvm.ptr
  // CHECK: %[[A5:.+]] = llvm.getelementptr %[[HOST]][8] : (!llvm.ptr) -> !llvm.ptr, i8
  // CHECK: %[[CONTEXT:.+]] = llvm.load %[[A5]] : !llvm.ptr -> !llvm.ptr
  // CHECK: %[[XD:.+]] = builtin.unrealized_conversion_cast %[[X]] : memref<4x6xf32>
  // CHECK: %[[XP:.+]] = llvm.extractvalue %[[XD]][1]
  // CHECK: %[[OD:.+]] = builtin.unrealized_conversion_cast %[[O]] : memref<4x4xf32>
  // CHECK: %[[OP:.+]] = llvm.extractvalue %[[OD]][1]
  // CHECK: llvm.call %[[FN]](%[[CONTEXT]], {{.*}}, %[[OP]]) : !llvm.ptr, (!llvm.ptr, i32, i32, i64, i64, i64, f64, f64, !llvm.ptr, !llvm.ptr, !llvm.ptr, !llvm.ptr) -> ()
  muon.host_call "symmetric_product"(%w, %w, %n, %n, %n, %f, %f, %x, %x, %x, %o) : i32, i32, i64, i64, i64, f64, f64, memref<4x6xf32>, memref<4x6xf32>, memref<4x6xf32>, memref<4x4xf32>
  // CHECK: llvm.getelementptr %[[HOST]][32] : (!llvm.ptr) -> !llvm.ptr, i8
  // CHECK: llvm.call {{.*}} : !llvm.ptr, (!llvm.ptr, i32, i64, i64, f64, f64, f64, !llvm.ptr, !llvm.ptr, !llvm.ptr) -> ()
  muon.host_call "commuting_product"(%w, %n, %n, %f, %f, %f, %o, %o, %o) : i32, i64, i64, f64, f64, f64, memref<4x4xf32>, memref<4x4xf32>, memref<4x4xf32>
  // CHECK: llvm.getelementptr %[[HOST]][40] : (!llvm.ptr) -> !llvm.ptr, i8
  // CHECK: llvm.call {{.*}} : !llvm.ptr, (!llvm.ptr, i32, i32, i64, i64, i64, f64, f64, !llvm.ptr, !llvm.ptr, !llvm.ptr, !llvm.ptr) -> ()
  muon.host_call "symmetric_apply"(%w, %w, %n, %n, %n, %f, %f, %x, %o, %x, %x) : i32, i32, i64, i64, i64, f64, f64, memref<4x6xf32>, memref<4x4xf32>, memref<4x6xf32>, memref<4x6xf32>
  // The address of a part includes its offset: 8 elements.
  // CHECK: %[[BASE:.+]] = llvm.extractvalue %[[PART:.+]][1]
  // CHECK: %[[OFFSET:.+]] = llvm.mlir.constant(8 : index) : i64
  // CHECK: %[[ADDRESS:.+]] = llvm.getelementptr %[[BASE]][%[[OFFSET]]] : (!llvm.ptr, i64) -> !llvm.ptr, f32
  // CHECK: llvm.call {{.*}}%[[ADDRESS]]
  %part = memref.subview %x[1, 2] [2, 2] [1, 1] : memref<4x6xf32> to memref<2x2xf32, strided<[6, 1], offset: 8>>
  muon.host_call "commuting_product"(%w, %n, %n, %f, %f, %f, %part, %o, %o) : i32, i64, i64, f64, f64, f64, memref<2x2xf32, strided<[6, 1], offset: 8>>, memref<4x4xf32>, memref<4x4xf32>
  // CHECK-NOT: muon.{{[a-z]}}
  return
}

// A part of a table begins so many pointers later, a part of a buffer so many
// elements: here 24 for each matrix.

// CHECK-LABEL: func.func private @slices(
// CHECK-SAME: %[[T:.+]]: !llvm.ptr, %[[B:.+]]: memref<7x4x6xbf16>, %[[I:.+]]: index) -> (
func.func private @slices(%t: !muon.table<7x4x6xf32>, %b: memref<7x4x6xbf16>, %i: index) -> (memref<4x6xf32>, memref<2x4x6xbf16>) {
  // CHECK: %[[N:.+]] = arith.index_cast %[[I]] : index to i64
  // CHECK: %[[PART:.+]] = llvm.getelementptr %{{.+}}[%[[N]]] : (!llvm.ptr, i64) -> !llvm.ptr, !llvm.ptr
  // CHECK: builtin.unrealized_conversion_cast %[[PART]] : !llvm.ptr to !muon.table<2x4x6xf32>
  %0 = muon.slice %t[%i] : !muon.table<7x4x6xf32> to !muon.table<2x4x6xf32>
  %1 = muon.member %0[%i] : !muon.table<2x4x6xf32> -> memref<4x6xf32>
  // CHECK: %[[D:.+]] = builtin.unrealized_conversion_cast %[[B]] : memref<7x4x6xbf16> to
  // CHECK: %[[STRIDE:.+]] = llvm.mlir.constant(24 : i64) : i64
  // CHECK: %[[AT:.+]] = llvm.mul %{{.+}}, %[[STRIDE]] : i64
  // CHECK: %[[BASE:.+]] = llvm.extractvalue %[[D]][1]
  // CHECK: %[[P:.+]] = llvm.getelementptr %[[BASE]][%[[AT]]] : (!llvm.ptr, i64) -> !llvm.ptr, bf16
  // CHECK: llvm.insertvalue %[[P]], %{{.+}}[0]
  // CHECK: llvm.insertvalue %[[P]], %{{.+}}[1]
  // CHECK: builtin.unrealized_conversion_cast %{{.+}} to memref<2x4x6xbf16>
  // CHECK-NOT: muon.slice
  %2 = muon.slice %b[%i] : memref<7x4x6xbf16> to memref<2x4x6xbf16>
  return %1, %2 : memref<4x6xf32>, memref<2x4x6xbf16>
}
