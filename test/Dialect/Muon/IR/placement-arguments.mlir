// RUN: muon-opt %s | muon-opt | FileCheck %s
// RUN: muon-opt %s -o %t.mlir
// RUN: muon-opt %s --emit-bytecode | muon-opt | diff %t.mlir -

// CHECK-LABEL: module attributes {muon.collectives = [{kind = "all_reduce"}], muon.plan = ["one", "two"], muon.rank = 5 : i64}
// CHECK: shard.grid @grid(shape = 2x3) {muon.axes = ["dp", "tp"]}
module attributes {muon.rank = 5 : i64, muon.plan = ["one", "two"], muon.collectives = [{kind = "all_reduce"}]} {
shard.grid @grid(shape = 2x3) {muon.axes = ["dp", "tp"]}

// CHECK-LABEL: func.func private @placed(
// CHECK-SAME: tensor<16x64xf32> {muon.names = ["w"], muon.role = #muon.role<weight>, muon.sharding = #muon.sharding<{{\[}}[1], []]>}
// CHECK-SAME: !muon.stack<2x16x64xf32> {{{.*}}muon.sharding = #muon.sharding<{{\[}}[], [1]]>, muon.unreduced = #muon.unreduced<[0], mean>}
func.func private @placed(
    tensor<16x64xf32> {muon.role = #muon.role<weight>, muon.names = ["w"], muon.sharding = #muon.sharding<[[1], []]>},
    !muon.stack<2x16x64xf32> {muon.role = #muon.role<gradient>, muon.names = ["a", "b"], muon.sharding = #muon.sharding<[[], [1]]>, muon.unreduced = #muon.unreduced<[0], mean>})

// A member of a stack is a block, a run, or whole; a run may be of any shape.

// CHECK-LABEL: func.func private @parts(
// CHECK-SAME: !muon.stack<2x48x16xf32> {muon.names = [#muon.part<tensor = "a", block = [48, 16], offset = [0, 16], shape = [48, 32]>, "b"]
// CHECK-SAME: tensor<64xf32> {muon.names = [#muon.part<tensor = "v", from = 128 : i64, block = [64, 3], offset = [0, 0], shape = [64, 3]>]
// CHECK-SAME: tensor<2x4x4xf32> {muon.names = [#muon.part<tensor = "e", from = 48 : i64, block = [5, 4, 4], offset = [0, 0, 0], shape = [5, 4, 4]>]
func.func private @parts(
    !muon.stack<2x48x16xf32> {muon.role = #muon.role<weight>, muon.names = [#muon.part<tensor = "a", block = [48, 16], offset = [0, 16], shape = [48, 32]>, "b"]},
    tensor<64xf32> {muon.role = #muon.role<exp_avg>, muon.names = [#muon.part<tensor = "v", from = 128, block = [64, 3], offset = [0, 0], shape = [64, 3]>]},
    tensor<2x4x4xf32> {muon.role = #muon.role<weight>, muon.names = [#muon.part<tensor = "e", from = 48, block = [5, 4, 4], offset = [0, 0, 0], shape = [5, 4, 4]>]})

// CHECK-LABEL: func.func @strategy(
// CHECK: muon.optimize weight(%{{.+}}) gradient(%{{.+}}) {muon.strategy = "own"}
func.func @strategy(
    %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["x"]},
    %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["x"]}) {
  %0 = muon.optimize weight(%w) gradient(%g) {muon.strategy = "own"} : tensor<8x4xf32>, tensor<8x4xf32>
  return
}

// Sums of it may be started, and may be waited for.

// CHECK-LABEL: func.func @unreduced(
func.func @unreduced(
    %g: memref<4xf32> {muon.role = #muon.role<gradient>, muon.names = ["g"], muon.unreduced = #muon.unreduced<[0], mean>}, %o: memref<4xf32>) {
  muon.all_reduce value(%g : memref<4xf32>) out(%o : memref<4xf32>) {group = #muon.group<@grid, [0], 1 of 2>, elements = array<i64: 4>, reduction = #muon.reduction<mean>, sends = array<i64: 0>, receives = array<i64: 0>, handle = 0 : i64}
  muon.wait value(%g : memref<4xf32>) out(%o : memref<4xf32>) {handle = 0 : i64}
  muon.start_collective 0(%g, %o) : memref<4xf32>, memref<4xf32>
  return
}
}
