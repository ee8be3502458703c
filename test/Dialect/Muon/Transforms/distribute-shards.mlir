// RUN: split-file %s %t
// RUN: muon-opt --muon-assign-optimizers --muon-stack-updates --muon-distribute="rank=3" %t/rows.mlir | FileCheck %t/rows.mlir --check-prefix=OWN
// RUN: muon-opt --muon-assign-optimizers --muon-stack-updates --muon-distribute="rank=1" %t/cols.mlir | FileCheck %t/cols.mlir --check-prefix=GATHER
// RUN: muon-opt --muon-assign-optimizers --muon-stack-updates --muon-distribute="rank=1" %t/gram.mlir | FileCheck %t/gram.mlir --check-prefix=GRAM
// RUN: muon-opt --muon-assign-optimizers --muon-stack-updates --muon-distribute="rank=3" %t/gram.mlir | FileCheck %t/gram.mlir --check-prefix=OTHER
// RUN: muon-opt --muon-assign-optimizers --muon-stack-updates --muon-distribute="rank=0" %t/uneven.mlir | FileCheck %t/uneven.mlir --check-prefix=FIRST
// RUN: muon-opt --muon-assign-optimizers --muon-stack-updates --muon-distribute="rank=1" %t/uneven.mlir | FileCheck %t/uneven.mlir --check-prefix=SECOND
// RUN: muon-opt --muon-assign-optimizers --muon-stack-updates --muon-distribute="rank=1" %t/empty.mlir | FileCheck %t/empty.mlir --check-prefix=EMPTY
// RUN: muon-opt --muon-assign-optimizers --muon-stack-updates --muon-distribute="rank=0" %t/empty.mlir | FileCheck %t/empty.mlir --check-prefix=ROWS
// RUN: muon-opt --muon-assign-optimizers --muon-stack-updates --muon-distribute="rank=1" %t/experts.mlir | FileCheck %t/experts.mlir --check-prefix=EXPERTS

// Matrices of which ranks have blocks.

//--- rows.mlir

// Of matrices that are split along tp and replicated along dp each rank has blocks,
// and the momentum of those that its place along dp owns. Sums of blocks add up to
// those of matrices, which the update gets.

// OWN-LABEL: func.func @step(
// OWN-SAME: %[[B:[a-z0-9]+]]: tensor<24x16xf32> {muon.names = [#muon.part<tensor = "b", block = [24, 16], offset = [24, 0], shape = [48, 16]>], muon.role = #muon.role<weight>}
// OWN-SAME: %[[MB:[a-z0-9]+]]: tensor<24x16xf32> {muon.names = [#muon.part<tensor = "b", block = [24, 16], offset = [24, 0], shape = [48, 16]>], muon.role = #muon.role<momentum>}
// OWN-SAME: %[[A:[a-z0-9]+]]: tensor<24x16xf32> {muon.names = [#muon.part<tensor = "a", block = [24, 16], offset = [24, 0], shape = [48, 16]>], muon.role = #muon.role<weight>}
// OWN-SAME: %[[G:[a-z0-9]+]]: !muon.stack<2x24x16xf32> {muon.names = [#muon.part<tensor = "a", block = [24, 16], offset = [24, 0], shape = [48, 16]>, #muon.part<tensor = "b", block = [24, 16], offset = [24, 0], shape = [48, 16]>], muon.role = #muon.role<gradient>, muon.unreduced = #muon.unreduced<[0], mean>}
// OWN: %[[SUM:.+]] = muon.reduce_scatter value(%[[G]] : !muon.stack<2x24x16xf32>) out(%{{.+}} : tensor<24x16xf32>)
// OWN-SAME: elements = array<i64: 384, 384>, group = #muon.group<@grid, [0], 1 of 2>, {{.*}}to = array<i64: 0, 1>
// OWN: %[[P:.+]] = muon.sum_squares value(%[[SUM]] :
// OWN: %[[L:.+]] = muon.place value(%[[P]] : tensor<1xf64>) out(%{{.+}} : tensor<2xf64>) {counts = array<i64: 1>, from = array<i64: 0>, to = array<i64: 1>}
// OWN: %[[ALL:.+]]:2 = muon.all_reduce value(%[[L]], %{{.+}} :
// OWN-SAME: group = #muon.group<@grid, [0, 1], 3 of 4>, label = "sums"
// OWN: %[[MINE:.+]] = muon.place value(%[[ALL]]#0 : tensor<2xf64>) out(%{{.+}} : tensor<1xf64>) {counts = array<i64: 1>, from = array<i64: 1>, to = array<i64: 0>}
// OWN: muon.update gradient(%[[SUM]] : tensor<24x16xf32>) gradient_sums(%[[MINE]] : tensor<1xf64>)
// OWN-SAME: weight(%[[B]] : tensor<24x16xf32>) momentum(%[[MB]] : tensor<24x16xf32>)
// OWN-SAME: exchange = #muon.exchange<own, group = #muon.group<@grid, [1], 1 of 2>, sharding = #muon.sharding<{{\[\[}}1], []]>, shape = [48, 16], owners = [{{[01]}}]>
// OWN: muon.all_gather {{.*}} out(%[[A]] : tensor<24x16xf32>) {elements = array<i64: 384, 384>, from = array<i64: 0, 1>, group = #muon.group<@grid, [0], 1 of 2>

shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "tp"]}
func.func @step(
    %w0: tensor<48x16xf32> {muon.role = #muon.role<weight>, muon.names = ["a"], muon.sharding = #muon.sharding<[[1], []]>},
    %g0: tensor<48x16xf32> {muon.role = #muon.role<gradient>, muon.names = ["a"], muon.sharding = #muon.sharding<[[1], []]>, muon.unreduced = #muon.unreduced<[0], mean>},
    %w1: tensor<48x16xf32> {muon.role = #muon.role<weight>, muon.names = ["b"], muon.sharding = #muon.sharding<[[1], []]>},
    %g1: tensor<48x16xf32> {muon.role = #muon.role<gradient>, muon.names = ["b"], muon.sharding = #muon.sharding<[[1], []]>, muon.unreduced = #muon.unreduced<[0], mean>}) {
  %0 = muon.optimize weight(%w0) gradient(%g0) {muon.strategy = "own"} : tensor<48x16xf32>, tensor<48x16xf32>
  %1 = muon.optimize weight(%w1) gradient(%g1) {muon.strategy = "own"} : tensor<48x16xf32>, tensor<48x16xf32>
  return
}

//--- cols.mlir

// Columns are split alike.

// GATHER-LABEL: func.func @step(
// GATHER-SAME: %[[A:[a-z0-9]+]]: tensor<16x32xf32> {muon.names = [#muon.part<tensor = "a", block = [16, 32], offset = [0, 32], shape = [16, 64]>], muon.role = #muon.role<weight>}
// GATHER: muon.update {{.*}}exchange = #muon.exchange<gather, group = #muon.group<@grid, [1], 1 of 2>, sharding = #muon.sharding<{{\[}}[], [1]]>, shape = [16, 64], owners = []>

shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "tp"]}
func.func @step(
    %w0: tensor<16x64xf32> {muon.role = #muon.role<weight>, muon.names = ["a"], muon.sharding = #muon.sharding<[[], [1]]>},
    %g0: tensor<16x64xf32> {muon.role = #muon.role<gradient>, muon.names = ["a"], muon.sharding = #muon.sharding<[[], [1]]>, muon.unreduced = #muon.unreduced<[0], mean>},
    %w1: tensor<16x64xf32> {muon.role = #muon.role<weight>, muon.names = ["b"], muon.sharding = #muon.sharding<[[], [1]]>},
    %g1: tensor<16x64xf32> {muon.role = #muon.role<gradient>, muon.names = ["b"], muon.sharding = #muon.sharding<[[], [1]]>, muon.unreduced = #muon.unreduced<[0], mean>}) {
  %0 = muon.optimize weight(%w0) gradient(%g0) {muon.strategy = "gather"} : tensor<16x64xf32>, tensor<16x64xf32>
  %1 = muon.optimize weight(%w1) gradient(%g1) {muon.strategy = "gather"} : tensor<16x64xf32>, tensor<16x64xf32>
  return
}

//--- gram.mlir

// Who owns nothing of a matrix along dp takes part in nothing that goes along tp.

// GRAM: muon.update {{.*}}exchange = #muon.exchange<distributed_gram, group = #muon.group<@grid, [1], 1 of 2>, sharding = #muon.sharding<{{\[}}[1], []]>, shape = [48, 16], owners = []>

// OTHER-LABEL: func.func @step(
// OTHER-SAME: %[[A:[a-z0-9]+]]: tensor<24x16xf32> {muon.names = [#muon.part<tensor = "a", block = [24, 16], offset = [24, 0], shape = [48, 16]>], muon.role = #muon.role<weight>}
// OTHER-SAME: %[[G:[a-z0-9]+]]: tensor<24x16xf32> {muon.names = [#muon.part<tensor = "a", block = [24, 16], offset = [24, 0], shape = [48, 16]>], muon.role = #muon.role<gradient>, muon.unreduced = #muon.unreduced<[0], mean>}
// OTHER-NOT: #muon.role<momentum>
// OTHER: muon.reduce_scatter value(%[[G]] : tensor<24x16xf32>) {{.*}}receives = array<i64>, {{.*}}to = array<i64: 0>
// OTHER-NOT: muon.update
// OTHER: muon.all_gather out(%[[A]] : tensor<24x16xf32>) {{.*}}sends = array<i64>

shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "tp"]}
func.func @step(
    %w0: tensor<48x16xf32> {muon.role = #muon.role<weight>, muon.names = ["a"], muon.sharding = #muon.sharding<[[1], []]>},
    %g0: tensor<48x16xf32> {muon.role = #muon.role<gradient>, muon.names = ["a"], muon.sharding = #muon.sharding<[[1], []]>, muon.unreduced = #muon.unreduced<[0], mean>}) {
  %0 = muon.optimize weight(%w0) gradient(%g0) {muon.strategy = "distributed_gram"} : tensor<48x16xf32>, tensor<48x16xf32>
  return
}

//--- uneven.mlir

// Of 49 rows the first rank has one more.

// FIRST-LABEL: func.func @step(
// FIRST-SAME: %[[W:[a-z0-9]+]]: !muon.stack<2x25x16xf32> {muon.names = [#muon.part<tensor = "a", block = [25, 16], offset = [0, 0], shape = [49, 16]>, #muon.part<tensor = "b", block = [25, 16], offset = [0, 0], shape = [49, 16]>], muon.role = #muon.role<weight>}
// FIRST: muon.update {{.*}}shape = [49, 16], owners = [0, 1]>
// FIRST-NOT: muon.all_gather

// SECOND-LABEL: func.func @step(
// SECOND-SAME: %[[W:[a-z0-9]+]]: !muon.stack<2x24x16xf32> {muon.names = [#muon.part<tensor = "a", block = [24, 16], offset = [25, 0], shape = [49, 16]>, #muon.part<tensor = "b", block = [24, 16], offset = [25, 0], shape = [49, 16]>], muon.role = #muon.role<weight>}
// SECOND: muon.update {{.*}}shape = [49, 16], owners = [0, 1]>

shard.grid @grid(shape = 2) {muon.axes = ["tp"]}
func.func @step(
    %w0: tensor<49x16xf32> {muon.role = #muon.role<weight>, muon.names = ["a"], muon.sharding = #muon.sharding<[[0], []]>},
    %g0: tensor<49x16xf32> {muon.role = #muon.role<gradient>, muon.names = ["a"], muon.sharding = #muon.sharding<[[0], []]>},
    %w1: tensor<49x16xf32> {muon.role = #muon.role<weight>, muon.names = ["b"], muon.sharding = #muon.sharding<[[0], []]>},
    %g1: tensor<49x16xf32> {muon.role = #muon.role<gradient>, muon.names = ["b"], muon.sharding = #muon.sharding<[[0], []]>}) {
  %0 = muon.optimize weight(%w0) gradient(%g0) {muon.strategy = "own"} : tensor<49x16xf32>, tensor<49x16xf32>
  %1 = muon.optimize weight(%w1) gradient(%g1) {muon.strategy = "own"} : tensor<49x16xf32>, tensor<49x16xf32>
  return
}

//--- empty.mlir

// A rank without rows has no arguments for the matrix but reports, and takes part in its
// exchange all the same.

// EMPTY-LABEL: func.func @step(
// EMPTY-NOT: muon.names = ["c"], muon.role = #muon.role<{{weight|gradient|momentum}}>
// EMPTY-SAME: tensor<1xf64> {muon.names = ["c"], muon.role = #muon.role<gradient_sums>}
// EMPTY-SAME: muon.names = [#muon.part<tensor = "d", block = [2, 15], offset = [2, 0], shape = [4, 15]>], muon.role = #muon.role<weight>
// EMPTY: muon.all_gather out(%{{.+}} : tensor<1x1x15xf32>) {elements = array<i64: 15>, from = array<i64: 0>, group = #muon.group<@grid, [0], 1 of 2>, label = "X", receives = array<i64: 0>, sends = array<i64>, type = f32}
// EMPTY: muon.update {{.*}}shape = [4, 15]

// ROWS-LABEL: func.func @step(
// The block is the whole tensor here, and has its name.
// ROWS-SAME: tensor<1x15xf32> {muon.names = ["c"], muon.role = #muon.role<weight>}
// ROWS: muon.update {{.*}}shape = [1, 15]

shard.grid @grid(shape = 2) {muon.axes = ["tp"]}
func.func @step(
    %w0: tensor<1x15xf32> {muon.role = #muon.role<weight>, muon.names = ["c"], muon.sharding = #muon.sharding<[[0], []]>},
    %g0: tensor<1x15xf32> {muon.role = #muon.role<gradient>, muon.names = ["c"], muon.sharding = #muon.sharding<[[0], []]>},
    %w1: tensor<4x15xf32> {muon.role = #muon.role<weight>, muon.names = ["d"], muon.sharding = #muon.sharding<[[0], []]>},
    %g1: tensor<4x15xf32> {muon.role = #muon.role<gradient>, muon.names = ["d"], muon.sharding = #muon.sharding<[[0], []]>}) {
  %0 = muon.optimize weight(%w0) gradient(%g0) {muon.strategy = "gather"} : tensor<1x15xf32>, tensor<1x15xf32>
  %1 = muon.optimize weight(%w1) gradient(%g1) {muon.strategy = "gather"} : tensor<4x15xf32>, tensor<4x15xf32>
  return
}

//--- experts.mlir

// A batch that is split has nothing to exchange along its axis.

// EXPERTS-LABEL: module attributes {muon.plan = ["grid ep=2", "x: 1 of 5x8x4, split [ep] [] [], local"]
// EXPERTS-LABEL: func.func @step(
// EXPERTS-SAME: %[[W:[a-z0-9]+]]: tensor<2x8x4xf32> {muon.names = [#muon.part<tensor = "x", block = [2, 8, 4], offset = [3, 0, 0], shape = [5, 8, 4]>], muon.role = #muon.role<weight>}
// EXPERTS-SAME: %[[G:[a-z0-9]+]]: tensor<2x8x4xf32> {muon.names = [#muon.part<tensor = "x", block = [2, 8, 4], offset = [3, 0, 0], shape = [5, 8, 4]>], muon.role = #muon.role<gradient>}
// EXPERTS: muon.place value(%{{.+}} : tensor<2xf64>) out(%{{.+}} : tensor<5xf64>) {counts = array<i64: 2>, from = array<i64: 0>, to = array<i64: 3>}
// EXPERTS: muon.all_reduce {{.*}}label = "sums"
// EXPERTS: muon.update gradient(%[[G]] :
// EXPERTS-NOT: exchange =
// EXPERTS-NOT: muon.all_gather

shard.grid @grid(shape = 2) {muon.axes = ["ep"]}
func.func @step(
    %w0: tensor<5x8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["x"], muon.sharding = #muon.sharding<[[0], [], []]>},
    %g0: tensor<5x8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["x"], muon.sharding = #muon.sharding<[[0], [], []]>}) {
  %0 = muon.optimize weight(%w0) gradient(%g0) : tensor<5x8x4xf32>, tensor<5x8x4xf32>
  return
}
