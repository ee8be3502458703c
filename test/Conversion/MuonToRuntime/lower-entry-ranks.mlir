// RUN: muon-opt --muon-lower-entry %s -o %t.mlir
// RUN: FileCheck %s < %t.mlir
// RUN: %python %src_root/test/Inputs/print-manifest.py %t.mlir | FileCheck %s --check-prefix=MANIFEST

// The manifest says of what tensors the arguments are parts, and what the ranks
// of the grid do together; the module is one of a single step then.

// CHECK: module attributes {muon.manifest = "
// CHECK-NOT: muon.rank
// CHECK-NOT: muon.plan
// CHECK-NOT: muon.collectives
// CHECK-NOT: shard.grid
// CHECK: func.func @step(

// MANIFEST: arguments[0] = {"params":0,"role":"weight","shape":[48,16],"slot":0,"type":"f32"}
// MANIFEST: arguments[1] = {"params":1,"role":"gradient","shape":[48,16],"slot":2,"type":"f32"}
// MANIFEST: arguments[2] = {"params":2,"role":"exp_avg","shape":[64],"slot":3,"type":"f32"}
// MANIFEST: arguments[3] = {"params":3,"role":"exp_avg","shape":[5],"slot":4,"type":"f32"}
// MANIFEST: distribution = {"collectives":[
// MANIFEST-SAME: {"group":[1,3],"kind":"reduce_scatter","name":"gradients 0","receive":[{"segments":[1],"table":false}],"reduction":"mean","segments":{{\[\[}}768,-1,0],[768,-1,1]],"send":[{"segments":[0,1],"table":true}],"type":"bf16"},
// MANIFEST-SAME: {"group":[2,3],"kind":"all_to_all","name":"X 0","receive":[],"segments":{{\[\[}}8,0,0]],"send":[],"type":"f32"}],
// MANIFEST-SAME: "grid":{{\[\[}}"dp",2],["tp",2]],"plan":["grid dp=2 tp=2","w: own"],"rank":3}
// MANIFEST: params[0] = [{"of":[48,32],"offset":[0,16],"tensor":"a"},"b"]
// MANIFEST-NEXT: params[1] = [{"of":[48,32],"offset":[0,16],"tensor":"a"}]
// MANIFEST-NEXT: params[2] = [{"from":128,"of":[64,3],"tensor":"v"}]
// A run of a block that is not the whole tensor.
// MANIFEST-NEXT: params[3] = [{"block":[4,2],"from":3,"of":[8,6],"offset":[4,2],"tensor":"u"}]
module attributes {muon.rank = 3 : i64, muon.plan = ["grid dp=2 tp=2", "w: own"], muon.collectives = [
  {kind = "reduce_scatter", name = "gradients 0", type = "bf16", reduction = "mean", group = array<i64: 1, 3>, elements = array<i64: 768, 768>, from = array<i64: -1, -1>, to = array<i64: 0, 1>, send = [{table = true, segments = array<i64: 0, 1>}], receive = [{table = false, segments = array<i64: 1>}]},
  {kind = "all_to_all", name = "X 0", type = "f32", group = array<i64: 2, 3>, elements = array<i64: 8>, from = array<i64: 0>, to = array<i64: 0>, send = [], receive = []}]} {
  shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "tp"]}
  func.func @step(
      %w: !muon.table<2x48x16xf32> {muon.role = #muon.role<weight>, muon.names = [#muon.part<tensor = "a", block = [48, 16], offset = [0, 16], shape = [48, 32]>, "b"]},
      %g: memref<48x16xf32> {muon.role = #muon.role<gradient>, muon.names = [#muon.part<tensor = "a", block = [48, 16], offset = [0, 16], shape = [48, 32]>], muon.unreduced = #muon.unreduced<[0], mean>},
      %v: memref<64xf32> {muon.role = #muon.role<exp_avg>, muon.names = [#muon.part<tensor = "v", from = 128, block = [64, 3], offset = [0, 0], shape = [64, 3]>]},
      %u: memref<5xf32> {muon.role = #muon.role<exp_avg>, muon.names = [#muon.part<tensor = "u", from = 3, block = [4, 2], offset = [4, 2], shape = [8, 6]>]}) {
    muon.start_collective 0(%w) : !muon.table<2x48x16xf32>
    muon.wait_collective 0
    return
  }
}
