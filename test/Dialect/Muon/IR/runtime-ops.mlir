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

// CHECK-LABEL: func.func @symmetric_product(
// CHECK-SAME:    %[[W:[a-z0-9]+]]: i32, %[[N:[a-z0-9]+]]: i64, %[[A:[a-z0-9]+]]: f64, %[[F:[a-z0-9]+]]: memref<2xf32>, %[[X:[a-z0-9]+]]: memref<2x16x64xf16>, %[[C:[a-z0-9]+]]: memref<2x16x16xf16>)
// CHECK:         muon.host_call "symmetric_product"(%[[W]], %[[W]], %[[N]], %[[N]], %[[N]], %[[A]], %[[A]], %[[F]], %[[X]], %[[X]], %[[C]]) : i32, i32, i64, i64, i64, f64, f64, memref<2xf32>, memref<2x16x64xf16>, memref<2x16x64xf16>, memref<2x16x16xf16>{{$}}
func.func @symmetric_product(
    %w: i32, %n: i64, %a: f64, %f: memref<2xf32>, %x: memref<2x16x64xf16>,
    %c: memref<2x16x16xf16>) {
  muon.host_call "symmetric_product"(%w, %w, %n, %n, %n, %a, %a, %f, %x, %x, %c)
      : i32, i32, i64, i64, i64, f64, f64, memref<2xf32>, memref<2x16x64xf16>,
        memref<2x16x64xf16>, memref<2x16x16xf16>
  return
}

// CHECK-LABEL: func.func @commuting_product(
// CHECK-SAME:    %[[W:[a-z0-9]+]]: i32, %[[N:[a-z0-9]+]]: i64, %[[A:[a-z0-9]+]]: f64, %[[X:[a-z0-9]+]]: memref<1x16x16xf32>, %[[Y:[a-z0-9]+]]: memref<1x16x16xf32>, %[[C:[a-z0-9]+]]: memref<1x16x16xf32>)
// CHECK:         muon.host_call "commuting_product"(%[[W]], %[[N]], %[[N]], %[[A]], %[[A]], %[[A]], %[[X]], %[[Y]], %[[C]]) : i32, i64, i64, f64, f64, f64, memref<1x16x16xf32>, memref<1x16x16xf32>, memref<1x16x16xf32>{{$}}
func.func @commuting_product(
    %w: i32, %n: i64, %a: f64, %x: memref<1x16x16xf32>,
    %y: memref<1x16x16xf32>, %c: memref<1x16x16xf32>) {
  muon.host_call "commuting_product"(%w, %n, %n, %a, %a, %a, %x, %y, %c)
      : i32, i64, i64, f64, f64, f64, memref<1x16x16xf32>, memref<1x16x16xf32>,
        memref<1x16x16xf32>
  return
}

// CHECK-LABEL: func.func @symmetric_apply(
// CHECK-SAME:    %[[W:[a-z0-9]+]]: i32, %[[N:[a-z0-9]+]]: i64, %[[A:[a-z0-9]+]]: f64, %[[F:[a-z0-9]+]]: memref<1xf32>, %[[S:[a-z0-9]+]]: memref<1x16x16xbf16>, %[[X:[a-z0-9]+]]: memref<1x16x64xbf16>, %[[C:[a-z0-9]+]]: memref<1x16x64xf32>)
// CHECK:         muon.host_call "symmetric_apply"(%[[W]], %[[W]], %[[N]], %[[N]], %[[N]], %[[A]], %[[A]], %[[F]], %[[S]], %[[X]], %[[C]]) : i32, i32, i64, i64, i64, f64, f64, memref<1xf32>, memref<1x16x16xbf16>, memref<1x16x64xbf16>, memref<1x16x64xf32>{{$}}
func.func @symmetric_apply(
    %w: i32, %n: i64, %a: f64, %f: memref<1xf32>, %s: memref<1x16x16xbf16>,
    %x: memref<1x16x64xbf16>, %c: memref<1x16x64xf32>) {
  muon.host_call "symmetric_apply"(%w, %w, %n, %n, %n, %a, %a, %f, %s, %x, %c)
      : i32, i32, i64, i64, i64, f64, f64, memref<1xf32>, memref<1x16x16xbf16>,
        memref<1x16x64xbf16>, memref<1x16x64xf32>
  return
}

// CHECK-LABEL: func.func @slice_table(
// CHECK-SAME:    %[[TABLE:[a-z0-9]+]]: !muon.table<8x48x16xf32>, %[[I:[a-z0-9]+]]: index)
// CHECK:         %[[R:.+]] = muon.slice %[[TABLE]][%[[I]]] : !muon.table<8x48x16xf32> to !muon.table<2x48x16xf32>
// CHECK-NEXT:    return %[[R]]
func.func @slice_table(
    %table: !muon.table<8x48x16xf32>, %i: index) -> !muon.table<2x48x16xf32> {
  %0 = muon.slice %table[%i]
      : !muon.table<8x48x16xf32> to !muon.table<2x48x16xf32>
  return %0 : !muon.table<2x48x16xf32>
}

// CHECK-LABEL: func.func @slice_memref(
// CHECK-SAME:    %[[LIST:[a-z0-9]+]]: memref<8xf64>, %[[I:[a-z0-9]+]]: index)
// CHECK:         %[[R:.+]] = muon.slice %[[LIST]][%[[I]]] : memref<8xf64> to memref<3xf64>
// CHECK-NEXT:    return %[[R]]
func.func @slice_memref(%list: memref<8xf64>, %i: index) -> memref<3xf64> {
  %0 = muon.slice %list[%i] : memref<8xf64> to memref<3xf64>
  return %0 : memref<3xf64>
}

// All of it is a part.

// CHECK-LABEL: func.func @slice_all(
// CHECK:         muon.slice %{{.+}}[%{{.+}}] : memref<2x3x4xbf16> to memref<2x3x4xbf16>
func.func @slice_all(
    %batch: memref<2x3x4xbf16>, %i: index) -> memref<2x3x4xbf16> {
  %0 = muon.slice %batch[%i] : memref<2x3x4xbf16> to memref<2x3x4xbf16>
  return %0 : memref<2x3x4xbf16>
}

// CHECK-LABEL: func.func @parallel(
// CHECK-SAME:    %[[V:[a-z0-9]+]]: memref<8xf64>, %[[S:[a-z0-9]+]]: memref<2xf64>)
// CHECK:         {{^ +}}muon.parallel sums(%[[S]] : memref<2xf64>) {
// CHECK-NEXT:    ^bb0(%[[I:.+]]: index, %[[P:.+]]: memref<f64>):
// CHECK-NEXT:      %[[E:.+]] = memref.load %[[V]][%[[I]]]
// CHECK-NEXT:      memref.store %[[E]], %[[P]][]
// CHECK-NEXT:    } {count = 8 : i64, group = 4 : i64}
// CHECK-NEXT:    return
func.func @parallel(%v: memref<8xf64>, %s: memref<2xf64>) {
  muon.parallel sums(%s : memref<2xf64>) {
  ^bb0(%i: index, %p: memref<f64>):
    %0 = memref.load %v[%i] : memref<8xf64>
    memref.store %0, %p[] : memref<f64>
  } {count = 8 : i64, group = 4 : i64}
  return
}

// CHECK-LABEL: func.func @parallel_without_sums(
// CHECK:         {{^ +}}muon.parallel {
// CHECK-NEXT:    ^bb0(%{{.+}}: index):
// CHECK-NEXT:    } {count = 3 : i64, group = 1 : i64}
func.func @parallel_without_sums() {
  muon.parallel {
  ^bb0(%i: index):
  } {count = 3 : i64, group = 1 : i64}
  return
}

// CHECK-LABEL: func.func @parallel_call(
// CHECK-SAME:    %[[V:[a-z0-9]+]]: memref<8xf64>, %[[T:[a-z0-9]+]]: !muon.table<2x4xf32>, %[[S:[a-z0-9]+]]: memref<2xf64>, %[[R:[a-z0-9]+]]: memref<2xf64>)
// CHECK:         {{^ +}}muon.parallel_call @body(%[[V]], %[[T]]) : memref<8xf64>, !muon.table<2x4xf32> sums(%[[S]], %[[R]] : memref<2xf64>, memref<2xf64>) {count = 8 : i64, group = 4 : i64}
func.func @parallel_call(%v: memref<8xf64>, %t: !muon.table<2x4xf32>,
                         %s: memref<2xf64>, %r: memref<2xf64>) {
  muon.parallel_call @body(%v, %t) : memref<8xf64>, !muon.table<2x4xf32>
      sums(%s, %r : memref<2xf64>, memref<2xf64>)
      {count = 8 : i64, group = 4 : i64}
  return
}
func.func private @body(memref<8xf64>, !muon.table<2x4xf32>, index,
                        memref<f64>, memref<f64>)

// CHECK-LABEL: func.func @parallel_call_without_operands(
// CHECK:         {{^ +}}muon.parallel_call @least() {count = 1 : i64, group = 1 : i64}
func.func @parallel_call_without_operands() {
  muon.parallel_call @least() {count = 1 : i64, group = 1 : i64}
  return
}
func.func private @least(index)
