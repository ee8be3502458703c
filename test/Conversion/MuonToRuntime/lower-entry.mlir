// RUN: muon-opt --muon-lower-entry %s | FileCheck %s
// RUN: muon-opt --muon-lower-entry %s -o %t.mlir
// RUN: %python %src_root/test/Inputs/print-manifest.py %t.mlir | FileCheck %s --check-prefix=MANIFEST

// Each argument takes a slot, a table one per member; what was returned is in
// the caller's hands already.

// CHECK: module attributes {muon.frozen = ["position_ids"], muon.manifest = "
// CHECK-LABEL: func.func @step(%arg0: !llvm.ptr, %arg1: !llvm.ptr, %arg2: !llvm.ptr) -> i32 attributes {muon.entry} {
// CHECK-NEXT: muon.slot 0 : memref<f32>
// CHECK-NEXT: %[[WD:.+]] = muon.slot 1 : memref<f32>
// CHECK-NEXT: %[[T:.+]] = muon.slot 2 : memref<i64>
// CHECK-NEXT: %[[OK:.+]] = muon.slot 3 : memref<i1>
// CHECK-NEXT: %[[W:.+]] = muon.slot 4 : !muon.table<2x48x16xf32>
// CHECK-NEXT: %[[G:.+]] = muon.slot 6 : !muon.table<2x48x16xbf16>
// CHECK-NEXT: %[[GS:.+]] = muon.slot 8 : memref<2xf64>
// CHECK-NEXT: muon.slot 9 : memref<48x16xf32>
// CHECK: muon.arena : memref<128xi8>
// CHECK: muon.advance when(%[[OK]] : memref<i1>) step(%[[T]] : memref<i64>)
// CHECK: muon.sum_squares value(%[[G]] : !muon.table<2x48x16xbf16>) sums(%[[GS]] : memref<2xf64>)
// CHECK: %[[ZERO:.+]] = arith.constant 0 : i32
// CHECK-NEXT: return %[[ZERO]] : i32

// MANIFEST:      arena = {"alignment":64,"bytes":128}
// MANIFEST-NEXT: arguments[0] = {"group":"a","role":"lr","shape":[],"slot":0,"type":"f32"}
// MANIFEST-NEXT: arguments[1] = {"default":0.25,"group":"a","role":"weight_decay","shape":[],"slot":1,"type":"f32"}
// MANIFEST-NEXT: arguments[2] = {"role":"step","shape":[],"slot":2,"type":"i64"}
// MANIFEST-NEXT: arguments[3] = {"role":"ok","shape":[],"slot":3,"type":"i1"}
// MANIFEST-NEXT: arguments[4] = {"params":0,"role":"weight","shape":[48,16],"slot":4,"type":"f32"}
// MANIFEST-NEXT: arguments[5] = {"params":0,"role":"gradient","shape":[48,16],"slot":6,"type":"bf16"}
// MANIFEST-NEXT: arguments[6] = {"params":0,"role":"gradient_sums","shape":[2],"slot":8,"type":"f64"}
// MANIFEST-NEXT: arguments[7] = {"params":1,"role":"weight","shape":[48,16],"slot":9,"type":"f32"}
// MANIFEST-NEXT: format = "muon-artifact"
// MANIFEST-NEXT: frozen = ["position_ids"]
// MANIFEST-NEXT: host_api = 4
// MANIFEST-NEXT: params[0] = ["q\"uote","\u00e9"]
// MANIFEST-NEXT: params[1] = [{"begin":0,"end":48,"rows":144,"tensor":"attn.qkv"}]
// MANIFEST-NEXT: slots = 10
// MANIFEST-NEXT: version = 1
// MANIFEST-NOT: {{.}}
module attributes {muon.frozen = ["position_ids"]} {
  func.func @step(
      %lr: memref<f32> {muon.role = #muon.role<lr>, muon.group = "a"},
      %wd: memref<f32> {muon.role = #muon.role<weight_decay>, muon.group = "a", muon.default = 0.25 : f32},
      %t: memref<i64> {muon.role = #muon.role<step>},
      %ok: memref<i1> {muon.role = #muon.role<ok>},
      %w: !muon.table<2x48x16xf32> {muon.role = #muon.role<weight>, muon.names = ["q\"uote", "é"]},
      %g: !muon.table<2x48x16xbf16> {muon.role = #muon.role<gradient>, muon.names = ["q\"uote", "é"]},
      %gs: memref<2xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["q\"uote", "é"]},
      %block: memref<48x16xf32> {muon.role = #muon.role<weight>, muon.names = [#muon.rows<"attn.qkv", 0 to 48 of 144>]})
      -> (memref<i64>, memref<2xf64>) {
    %0 = muon.arena : memref<128xi8>
    muon.advance when(%ok : memref<i1>) step(%t : memref<i64>)
    muon.sum_squares value(%g : !muon.table<2x48x16xbf16>) sums(%gs : memref<2xf64>)
    return %t, %gs : memref<i64>, memref<2xf64>
  }
}
