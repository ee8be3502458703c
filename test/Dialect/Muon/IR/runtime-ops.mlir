// RUN: muon-opt %s | muon-opt | FileCheck %s
// RUN: muon-opt %s --mlir-print-op-generic | muon-opt | FileCheck %s

// CHECK-LABEL: func.func @member(
// CHECK-SAME:    %[[TABLE:[a-z0-9]+]]: !muon.table<2x48x16xf32>, %[[I:[a-z0-9]+]]: index)
// CHECK:         %[[R:.+]] = muon.member %[[TABLE]][%[[I]]] : !muon.table<2x48x16xf32> -> memref<48x16xf32>
// CHECK-NEXT:    return %[[R]] : memref<48x16xf32>
func.func @member(
    %table: !muon.table<2x48x16xf32>, %i: index) -> memref<48x16xf32> {
  %0 = muon.member %table[%i] : !muon.table<2x48x16xf32> -> memref<48x16xf32>
  return %0 : memref<48x16xf32>
}

// CHECK-LABEL: func.func @member_of_rank_0(
// CHECK-SAME:    %[[TABLE:[a-z0-9]+]]: !muon.table<2xbf16>, %[[I:[a-z0-9]+]]: index)
// CHECK:         %[[R:.+]] = muon.member %[[TABLE]][%[[I]]] : !muon.table<2xbf16> -> memref<bf16>
// CHECK-NEXT:    return %[[R]] : memref<bf16>
func.func @member_of_rank_0(
    %table: !muon.table<2xbf16>, %i: index) -> memref<bf16> {
  %0 = muon.member %table[%i] : !muon.table<2xbf16> -> memref<bf16>
  return %0 : memref<bf16>
}

// CHECK-LABEL: func.func @slot_memref(
// CHECK:         %[[R:.+]] = muon.slot 0 : memref<f32>
// CHECK-NEXT:    return %[[R]] : memref<f32>
func.func @slot_memref() -> memref<f32> attributes {muon.entry} {
  %0 = muon.slot 0 : memref<f32>
  return %0 : memref<f32>
}

// CHECK-LABEL: func.func @slot_table(
// CHECK:         %[[R:.+]] = muon.slot 17 : !muon.table<2x48x16xf32>
// CHECK-NEXT:    return %[[R]] : !muon.table<2x48x16xf32>
func.func @slot_table() -> !muon.table<2x48x16xf32> attributes {muon.entry} {
  %0 = muon.slot 17 : !muon.table<2x48x16xf32>
  return %0 : !muon.table<2x48x16xf32>
}

// CHECK-LABEL: func.func @arena(
// CHECK:         %[[R:.+]] = muon.arena : memref<4096xi8>
// CHECK-NEXT:    return %[[R]] : memref<4096xi8>
func.func @arena() -> memref<4096xi8> attributes {muon.entry} {
  %0 = muon.arena : memref<4096xi8>
  return %0 : memref<4096xi8>
}

// CHECK-LABEL: func.func @ssyrk(
// CHECK-SAME:    %[[T:[a-z0-9]+]]: i32, %[[N:[a-z0-9]+]]: i64, %[[K:[a-z0-9]+]]: i64, %[[ALPHA:[a-z0-9]+]]: f32, %[[X:[a-z0-9]+]]: memref<16x64xf32>, %[[LDX:[a-z0-9]+]]: i64, %[[C:[a-z0-9]+]]: memref<16x16xf32>, %[[LDC:[a-z0-9]+]]: i64)
// CHECK:         muon.host_call "ssyrk"(%[[T]], %[[N]], %[[K]], %[[ALPHA]], %[[X]], %[[LDX]], %[[C]], %[[LDC]]) : i32, i64, i64, f32, memref<16x64xf32>, i64, memref<16x16xf32>, i64{{$}}
func.func @ssyrk(
    %t: i32, %n: i64, %k: i64, %alpha: f32, %x: memref<16x64xf32>, %ldx: i64,
    %c: memref<16x16xf32>, %ldc: i64) {
  muon.host_call "ssyrk"(%t, %n, %k, %alpha, %x, %ldx, %c, %ldc)
      : i32, i64, i64, f32, memref<16x64xf32>, i64, memref<16x16xf32>, i64
  return
}

// CHECK-LABEL: func.func @sgemm(
// CHECK-SAME:    %[[M:[a-z0-9]+]]: i64, %[[N:[a-z0-9]+]]: i64, %[[K:[a-z0-9]+]]: i64, %[[ALPHA:[a-z0-9]+]]: f32, %[[A:[a-z0-9]+]]: memref<16x16xf32>, %[[LDA:[a-z0-9]+]]: i64, %[[B:[a-z0-9]+]]: memref<16x64xf32>, %[[LDB:[a-z0-9]+]]: i64, %[[BETA:[a-z0-9]+]]: f32, %[[C:[a-z0-9]+]]: memref<16x64xf32>, %[[LDC:[a-z0-9]+]]: i64)
// CHECK:         muon.host_call "sgemm"(%[[M]], %[[N]], %[[K]], %[[ALPHA]], %[[A]], %[[LDA]], %[[B]], %[[LDB]], %[[BETA]], %[[C]], %[[LDC]]) : i64, i64, i64, f32, memref<16x16xf32>, i64, memref<16x64xf32>, i64, f32, memref<16x64xf32>, i64{{$}}
func.func @sgemm(
    %m: i64, %n: i64, %k: i64, %alpha: f32, %a: memref<16x16xf32>, %lda: i64,
    %b: memref<16x64xf32>, %ldb: i64, %beta: f32, %c: memref<16x64xf32>,
    %ldc: i64) {
  muon.host_call "sgemm"(%m, %n, %k, %alpha, %a, %lda, %b, %ldb, %beta, %c, %ldc)
      : i64, i64, i64, f32, memref<16x16xf32>, i64, memref<16x64xf32>, i64, f32,
        memref<16x64xf32>, i64
  return
}
