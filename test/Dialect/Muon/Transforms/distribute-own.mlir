// RUN: split-file %s %t
// RUN: muon-opt --muon-assign-optimizers --muon-stack-updates --muon-distribute="rank=0" %t/stack.mlir | FileCheck %t/stack.mlir --check-prefix=RANK0
// RUN: muon-opt --muon-assign-optimizers --muon-stack-updates --muon-distribute="rank=1" %t/stack.mlir | FileCheck %t/stack.mlir --check-prefix=RANK1
// RUN: muon-opt --muon-assign-optimizers --muon-stack-updates --muon-distribute="rank=0" %t/reduced.mlir | FileCheck %t/reduced.mlir --check-prefix=REDUCED
// RUN: muon-opt --muon-assign-optimizers --muon-stack-updates --muon-distribute="rank=0" %t/replicate.mlir | FileCheck %t/replicate.mlir --check-prefix=FIRST
// RUN: muon-opt --muon-assign-optimizers --muon-stack-updates --muon-distribute="rank=1" %t/replicate.mlir | FileCheck %t/replicate.mlir --check-prefix=SECOND
// RUN: muon-opt --muon-assign-optimizers --muon-stack-updates --muon-distribute="rank=1" %t/experts.mlir | FileCheck %t/experts.mlir --check-prefix=EXPERTS
// RUN: muon-opt --muon-assign-optimizers --muon-stack-updates --muon-distribute="rank=2" %t/partly.mlir | FileCheck %t/partly.mlir --check-prefix=PARTLY

// Whole matrices get owners.

//--- stack.mlir

// Three members of a stack over two ranks: the first has two of them, the second
// one and the other matrix. Each has the state of what it owns, the weights of all, and its
// own gradient of all.

// RANK0-LABEL: module attributes {muon.plan = ["grid dp=2", "a: 3 of 48x16, unreduced dp, own by 0*2 1*1", "d: 1 of 16x32, unreduced dp, own by 1*1"], muon.rank = 0 : i64}
// RANK0-LABEL: func.func @step(
// RANK0-SAME: %[[AB:[a-z0-9]+]]: !muon.stack<2x48x16xf32> {muon.names = ["a", "b"], muon.role = #muon.role<weight>}
// RANK0-SAME: %[[MAB:[a-z0-9]+]]: !muon.stack<2x48x16xf32> {muon.names = ["a", "b"], muon.role = #muon.role<momentum>}
// RANK0-SAME: %[[C:[a-z0-9]+]]: tensor<48x16xf32> {muon.names = ["c"], muon.role = #muon.role<weight>}
// RANK0-SAME: %[[G:[a-z0-9]+]]: !muon.stack<3x48x16xf32> {muon.names = ["a", "b", "c"], muon.role = #muon.role<gradient>, muon.unreduced = #muon.unreduced<[0], mean>}
// RANK0-SAME: %[[GS:[a-z0-9]+]]: tensor<3xf64> {muon.names = ["a", "b", "c"], muon.role = #muon.role<gradient_sums>}
// RANK0-SAME: %[[MS:[a-z0-9]+]]: tensor<3xf64> {muon.names = ["a", "b", "c"], muon.role = #muon.role<momentum_sums>}
// RANK0-SAME: %[[US:[a-z0-9]+]]: tensor<3xf64> {muon.names = ["a", "b", "c"], muon.role = #muon.role<update_sums>}
// RANK0-SAME: %[[WS:[a-z0-9]+]]: tensor<3xf64> {muon.names = ["a", "b", "c"], muon.role = #muon.role<weight_sums>}
// RANK0-SAME: %[[D:[a-z0-9]+]]: tensor<16x32xf32> {muon.names = ["d"], muon.role = #muon.role<weight>}
// RANK0-SAME: %[[GD:[a-z0-9]+]]: tensor<16x32xf32> {muon.names = ["d"], muon.role = #muon.role<gradient>, muon.unreduced = #muon.unreduced<[0], mean>}
// RANK0-SAME: %[[GSD:[a-z0-9]+]]: tensor<1xf64> {muon.names = ["d"], muon.role = #muon.role<gradient_sums>}
// RANK0-SAME: %[[MSD:[a-z0-9]+]]: tensor<1xf64> {muon.names = ["d"], muon.role = #muon.role<momentum_sums>}
// RANK0-SAME: %[[USD:[a-z0-9]+]]: tensor<1xf64> {muon.names = ["d"], muon.role = #muon.role<update_sums>}
// RANK0-SAME: %[[WSD:[a-z0-9]+]]: tensor<1xf64> {muon.names = ["d"], muon.role = #muon.role<weight_sums>}
// RANK0: %[[SUM:.+]] = muon.reduce_scatter value(%[[G]], %[[GD]] : !muon.stack<3x48x16xf32>, tensor<16x32xf32>) out(%{{.+}} : tensor<2x48x16xf32>)
// RANK0-SAME: elements = array<i64: 768, 768, 768, 512>, group = #muon.group<@grid, [0], 0 of 2>, label = "gradients", receives = array<i64: 0, 1>, reduction = #muon.reduction<mean>, sends = array<i64: 0, 1, 2, 3>, to = array<i64: 0, 0, 1, 1>
// Sums are of what it owns, at their places among those of all matrices.
// RANK0: %[[PG:.+]] = muon.sum_squares value(%[[SUM]] : tensor<2x48x16xf32>)
// RANK0: %[[PM:.+]] = muon.sum_squares value(%[[MAB]] : !muon.stack<2x48x16xf32>)
// RANK0: %[[LG:.+]] = muon.place value(%[[PG]] : tensor<2xf64>) out(%{{.+}} : tensor<3xf64>) {counts = array<i64: 2>, from = array<i64: 0>, to = array<i64: 0>}
// RANK0: %[[LM:.+]] = muon.place value(%[[PM]] : tensor<2xf64>) out(%{{.+}} : tensor<3xf64>)
// RANK0: %[[LGD:.+]] = muon.place out(%{{.+}} : tensor<1xf64>) {counts = array<i64>, from = array<i64>, to = array<i64>}
// RANK0: %[[LMD:.+]] = muon.place out(%{{.+}} : tensor<1xf64>)
// RANK0: %[[SUMS:.+]]:4 = muon.all_reduce value(%[[LG]], %[[LM]], %[[LGD]], %[[LMD]] : tensor<3xf64>, tensor<3xf64>, tensor<1xf64>, tensor<1xf64>) out(%[[GS]], %[[MS]], %[[GSD]], %[[MSD]] : tensor<3xf64>, tensor<3xf64>, tensor<1xf64>, tensor<1xf64>)
// RANK0-SAME: label = "sums", receives = array<i64: 0, 1, 2, 3>, reduction = #muon.reduction<sum>
// RANK0: %[[LOOK:.+]]:2 = muon.look gradients(%[[SUMS]]#0, %[[SUMS]]#2 : tensor<3xf64>, tensor<1xf64>) momenta(%[[SUMS]]#1, %[[SUMS]]#3 : tensor<3xf64>, tensor<1xf64>)
// RANK0: %[[STEP:.+]] = muon.advance when(%[[LOOK]]#0 : tensor<i1>)
// RANK0: %[[NEW:.+]]:4 = muon.update gradient(%[[SUM]] : tensor<2x48x16xf32>) gradient_sums(%[[PG]] : tensor<2xf64>) momentum_sums(%[[PM]] : tensor<2xf64>)
// RANK0-SAME: weight(%[[AB]] : !muon.stack<2x48x16xf32>) momentum(%[[MAB]] : !muon.stack<2x48x16xf32>)
// RANK0-NOT: muon.strategy
// RANK0-NOT: muon.update
// RANK0: %[[REST:.+]]:2 = muon.all_gather value(%[[NEW]]#0 : !muon.stack<2x48x16xf32>) out(%[[C]], %[[D]] : tensor<48x16xf32>, tensor<16x32xf32>)
// RANK0-SAME: elements = array<i64: 768, 768, 768, 512>, from = array<i64: 0, 0, 1, 1>, group = #muon.group<@grid, [0], 0 of 2>, label = "weights", receives = array<i64: 2, 3>, sends = array<i64: 0, 1>
// RANK0: %[[LU:.+]] = muon.place value(%[[NEW]]#2 : tensor<2xf64>) out(%{{.+}} : tensor<3xf64>) {counts = array<i64: 2>, from = array<i64: 0>, to = array<i64: 0>}
// RANK0: %[[LW:.+]] = muon.place value(%[[NEW]]#3 : tensor<2xf64>)
// RANK0: %[[REPORTS:.+]]:4 = muon.all_reduce value(%[[LU]], %[[LW]], %{{.+}}, %{{.+}} : {{.*}}) out(%[[US]], %[[WS]], %[[USD]], %[[WSD]] :
// RANK0: return %[[SUMS]]#0, %[[SUMS]]#1, %[[SUMS]]#2, %[[SUMS]]#3, %[[LOOK]]#0, %[[LOOK]]#1, %[[STEP]], %[[NEW]]#0, %[[NEW]]#1, %[[REST]]#0, %[[REST]]#1, %[[REPORTS]]#0, %[[REPORTS]]#1, %[[REPORTS]]#2, %[[REPORTS]]#3 :

// RANK1-LABEL: muon.rank = 1 : i64
// RANK1-LABEL: func.func @step(
// RANK1-SAME: %[[C:[a-z0-9]+]]: tensor<48x16xf32> {muon.names = ["c"], muon.role = #muon.role<weight>}
// RANK1-SAME: %[[MC:[a-z0-9]+]]: tensor<48x16xf32> {muon.names = ["c"], muon.role = #muon.role<momentum>}
// RANK1-SAME: %[[AB:[a-z0-9]+]]: !muon.stack<2x48x16xf32> {muon.names = ["a", "b"], muon.role = #muon.role<weight>}
// RANK1-SAME: %[[G:[a-z0-9]+]]: !muon.stack<3x48x16xf32> {muon.names = ["a", "b", "c"], muon.role = #muon.role<gradient>, muon.unreduced = #muon.unreduced<[0], mean>}
// RANK1-SAME: %[[D:[a-z0-9]+]]: tensor<16x32xf32> {muon.names = ["d"], muon.role = #muon.role<weight>}
// RANK1-SAME: %[[MD:[a-z0-9]+]]: tensor<16x32xf32> {muon.names = ["d"], muon.role = #muon.role<momentum>}
// RANK1-SAME: %[[GD:[a-z0-9]+]]: tensor<16x32xf32> {muon.names = ["d"], muon.role = #muon.role<gradient>, muon.unreduced = #muon.unreduced<[0], mean>}
// RANK1: %[[SUM:.+]]:2 = muon.reduce_scatter value(%[[G]], %[[GD]] : {{.*}}) out(%{{.+}}, %{{.+}} : tensor<48x16xf32>, tensor<16x32xf32>)
// RANK1-SAME: elements = array<i64: 768, 768, 768, 512>, group = #muon.group<@grid, [0], 1 of 2>, {{.*}}receives = array<i64: 2, 3>, {{.*}}sends = array<i64: 0, 1, 2, 3>, to = array<i64: 0, 0, 1, 1>
// RANK1: %[[PG:.+]] = muon.sum_squares value(%[[SUM]]#0 : tensor<48x16xf32>)
// RANK1: muon.place value(%[[PG]] : tensor<1xf64>) out(%{{.+}} : tensor<3xf64>) {counts = array<i64: 1>, from = array<i64: 0>, to = array<i64: 2>}
// RANK1: %[[NEWC:.+]]:4 = muon.update gradient(%[[SUM]]#0 : tensor<48x16xf32>) {{.*}} weight(%[[C]] : tensor<48x16xf32>) momentum(%[[MC]] : tensor<48x16xf32>)
// RANK1: %[[NEWD:.+]]:4 = muon.update gradient(%[[SUM]]#1 : tensor<16x32xf32>) {{.*}} weight(%[[D]] : tensor<16x32xf32>) momentum(%[[MD]] : tensor<16x32xf32>)
// RANK1: muon.all_gather value(%[[NEWC]]#0, %[[NEWD]]#0 : tensor<48x16xf32>, tensor<16x32xf32>) out(%[[AB]] : !muon.stack<2x48x16xf32>)
// RANK1-SAME: from = array<i64: 0, 0, 1, 1>, group = #muon.group<@grid, [0], 1 of 2>, {{.*}}receives = array<i64: 0, 1>, sends = array<i64: 2, 3>

shard.grid @grid(shape = 2) {muon.axes = ["dp"]}
func.func @step(
    %w0: tensor<48x16xf32> {muon.role = #muon.role<weight>, muon.names = ["a"]},
    %g0: tensor<48x16xf32> {muon.role = #muon.role<gradient>, muon.names = ["a"], muon.unreduced = #muon.unreduced<[0], mean>},
    %w1: tensor<48x16xf32> {muon.role = #muon.role<weight>, muon.names = ["b"]},
    %g1: tensor<48x16xf32> {muon.role = #muon.role<gradient>, muon.names = ["b"], muon.unreduced = #muon.unreduced<[0], mean>},
    %w2: tensor<48x16xf32> {muon.role = #muon.role<weight>, muon.names = ["c"]},
    %g2: tensor<48x16xf32> {muon.role = #muon.role<gradient>, muon.names = ["c"], muon.unreduced = #muon.unreduced<[0], mean>},
    %w3: tensor<16x32xf32> {muon.role = #muon.role<weight>, muon.names = ["d"]},
    %g3: tensor<16x32xf32> {muon.role = #muon.role<gradient>, muon.names = ["d"], muon.unreduced = #muon.unreduced<[0], mean>}) {
  %0 = muon.optimize weight(%w0) gradient(%g0) {muon.strategy = "own"} : tensor<48x16xf32>, tensor<48x16xf32>
  %1 = muon.optimize weight(%w1) gradient(%g1) {muon.strategy = "own"} : tensor<48x16xf32>, tensor<48x16xf32>
  %2 = muon.optimize weight(%w2) gradient(%g2) {muon.strategy = "own"} : tensor<48x16xf32>, tensor<48x16xf32>
  %3 = muon.optimize weight(%w3) gradient(%g3) {muon.strategy = "own"} : tensor<16x32xf32>, tensor<16x32xf32>
  return
}

//--- reduced.mlir

// Gradients that are the same everywhere are not summed, and only owners need them.

// REDUCED-LABEL: func.func @step(
// REDUCED-SAME: %[[A:[a-z0-9]+]]: tensor<48x16xf32> {muon.names = ["a"], muon.role = #muon.role<weight>}
// REDUCED-SAME: %[[G:[a-z0-9]+]]: tensor<48x16xf32> {muon.names = ["a"], muon.role = #muon.role<gradient>}
// REDUCED-SAME: %[[M:[a-z0-9]+]]: tensor<48x16xf32> {muon.names = ["a"], muon.role = #muon.role<momentum>}
// REDUCED-SAME: %[[B:[a-z0-9]+]]: tensor<48x16xf32> {muon.names = ["b"], muon.role = #muon.role<weight>}
// REDUCED-NOT: #muon.role<gradient>
// REDUCED-NOT: muon.reduce_scatter
// REDUCED: %[[NEW:.+]]:4 = muon.update gradient(%[[G]] : tensor<48x16xf32>)
// REDUCED: muon.all_gather value(%[[NEW]]#0 : tensor<48x16xf32>) out(%[[B]] : tensor<48x16xf32>)
// REDUCED-SAME: from = array<i64: 0, 1>

shard.grid @grid(shape = 2) {muon.axes = ["dp"]}
func.func @step(
    %w0: tensor<48x16xf32> {muon.role = #muon.role<weight>, muon.names = ["a"]},
    %g0: tensor<48x16xf32> {muon.role = #muon.role<gradient>, muon.names = ["a"]},
    %w1: tensor<48x16xf32> {muon.role = #muon.role<weight>, muon.names = ["b"]},
    %g1: tensor<48x16xf32> {muon.role = #muon.role<gradient>, muon.names = ["b"]}) {
  %0 = muon.optimize weight(%w0) gradient(%g0) {muon.strategy = "own"} : tensor<48x16xf32>, tensor<48x16xf32>
  %1 = muon.optimize weight(%w1) gradient(%g1) {muon.strategy = "own"} : tensor<48x16xf32>, tensor<48x16xf32>
  return
}

//--- replicate.mlir

// Where all ranks do the same, all get the gradients, and one contributes sums.

// FIRST: %[[SUM:.+]]:2 = muon.all_reduce value(%{{.+}}, %{{.+}} : tensor<48x16xf32>, tensor<200xf32>) out(%{{.+}}, %{{.+}} : tensor<48x16xf32>, tensor<200xf32>)
// FIRST-SAME: elements = array<i64: 768, 200>, group = #muon.group<@grid, [0], 0 of 2>, label = "gradients", receives = array<i64: 0, 1>, reduction = #muon.reduction<sum>, sends = array<i64: 0, 1>
// FIRST: %[[P:.+]] = muon.sum_squares value(%[[SUM]]#0 :
// FIRST: muon.place value(%[[P]] : tensor<1xf64>)
// FIRST: muon.update gradient(%[[SUM]]#0 : tensor<48x16xf32>)
// FIRST: muon.adamw_update gradient(%[[SUM]]#1 : tensor<200xf32>)
// FIRST-NOT: muon.all_gather

// SECOND: %[[SUM:.+]]:2 = muon.all_reduce value(
// SECOND: %[[P:.+]] = muon.sum_squares value(%[[SUM]]#0 :
// SECOND-NOT: muon.place value
// SECOND: muon.update gradient(%[[SUM]]#0 : tensor<48x16xf32>) gradient_sums(%[[P]] : tensor<1xf64>)
// SECOND: muon.adamw_update gradient(%[[SUM]]#1 : tensor<200xf32>)
// SECOND-NOT: muon.place value
// SECOND-NOT: muon.all_gather

shard.grid @grid(shape = 2) {muon.axes = ["dp"]}
func.func @step(
    %w0: tensor<48x16xf32> {muon.role = #muon.role<weight>, muon.names = ["a"]},
    %g0: tensor<48x16xf32> {muon.role = #muon.role<gradient>, muon.names = ["a"], muon.unreduced = #muon.unreduced<[0], sum>},
    %w1: tensor<200xf32> {muon.role = #muon.role<weight>, muon.names = ["v"]},
    %g1: tensor<200xf32> {muon.role = #muon.role<gradient>, muon.names = ["v"], muon.unreduced = #muon.unreduced<[0], sum>}) {
  %0 = muon.optimize weight(%w0) gradient(%g0) {muon.strategy = "replicate"} : tensor<48x16xf32>, tensor<48x16xf32>
  %1 = muon.optimize weight(%w1) gradient(%g1) {muon.strategy = "replicate"} : tensor<200xf32>, tensor<200xf32>
  return
}

//--- experts.mlir

// A batch is divided like a stack: a run of its matrices is a run of its elements.

// EXPERTS-LABEL: func.func @step(
// EXPERTS-SAME: %[[W:[a-z0-9]+]]: tensor<2x8x4xf32> {muon.names = [#muon.part<tensor = "x", from = 96 : i64, block = [5, 8, 4], offset = [0, 0, 0], shape = [5, 8, 4]>], muon.role = #muon.role<weight>}
// EXPERTS-SAME: %[[MOM:[a-z0-9]+]]: tensor<2x8x4xf32> {muon.names = [#muon.part<tensor = "x", from = 96 : i64, block = [5, 8, 4], offset = [0, 0, 0], shape = [5, 8, 4]>], muon.role = #muon.role<momentum>}
// EXPERTS-SAME: %[[OTHER:[a-z0-9]+]]: tensor<3x8x4xf32> {muon.names = [#muon.part<tensor = "x", from = 0 : i64, block = [5, 8, 4], offset = [0, 0, 0], shape = [5, 8, 4]>], muon.role = #muon.role<weight>}
// EXPERTS: %[[SUM:.+]] = muon.reduce_scatter value(
// EXPERTS-SAME: elements = array<i64: 96, 64>, {{.*}}to = array<i64: 0, 1>
// EXPERTS: muon.place value(%{{.+}} : tensor<2xf64>) out(%{{.+}} : tensor<5xf64>) {counts = array<i64: 2>, from = array<i64: 0>, to = array<i64: 3>}
// EXPERTS: muon.update gradient(%[[SUM]] : tensor<2x8x4xf32>)
// EXPERTS: muon.all_gather {{.*}}out(%[[OTHER]] : tensor<3x8x4xf32>) {elements = array<i64: 96, 64>, from = array<i64: 0, 1>

shard.grid @grid(shape = 2) {muon.axes = ["dp"]}
func.func @step(
    %w0: tensor<5x8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["x"]},
    %g0: tensor<5x8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["x"], muon.unreduced = #muon.unreduced<[0], mean>}) {
  %0 = muon.optimize weight(%w0) gradient(%g0) {muon.strategy = "own"} : tensor<5x8x4xf32>, tensor<5x8x4xf32>
  return
}

//--- partly.mlir

// Sums along one axis, the same along the other: those that the owner has.

// PARTLY-LABEL: func.func @step(
// PARTLY-SAME: %[[C:[a-z0-9]+]]: tensor<48x16xf32> {muon.names = ["c"], muon.role = #muon.role<weight>}
// PARTLY-SAME: %[[MC:[a-z0-9]+]]: tensor<48x16xf32> {muon.names = ["c"], muon.role = #muon.role<momentum>}
// PARTLY-SAME: %[[AB:[a-z0-9]+]]: !muon.stack<2x48x16xf32> {muon.names = ["a", "b"], muon.role = #muon.role<weight>}
// PARTLY-SAME: %[[D:[a-z0-9]+]]: tensor<48x16xf32> {muon.names = ["d"], muon.role = #muon.role<weight>}
// PARTLY-SAME: %[[G:[a-z0-9]+]]: !muon.stack<2x48x16xf32> {muon.names = ["c", "d"], muon.role = #muon.role<gradient>, muon.unreduced = #muon.unreduced<[1], mean>}
// PARTLY: %[[SUM:.+]] = muon.reduce_scatter value(%[[G]] : !muon.stack<2x48x16xf32>) out(%{{.+}} : tensor<48x16xf32>)
// PARTLY-SAME: group = #muon.group<@grid, [1], 0 of 2>, {{.*}}to = array<i64: 0, 1>
// PARTLY: muon.update gradient(%[[SUM]] :
// PARTLY: muon.all_gather value(%{{.+}} : tensor<48x16xf32>) out(%[[AB]], %[[D]] : !muon.stack<2x48x16xf32>, tensor<48x16xf32>)
// PARTLY-SAME: from = array<i64: 0, 1, 2, 3>, group = #muon.group<@grid, [0, 1], 2 of 4>, {{.*}}receives = array<i64: 0, 1, 3>, sends = array<i64: 2>

shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "cp"]}
func.func @step(
    %w0: tensor<48x16xf32> {muon.role = #muon.role<weight>, muon.names = ["a"]},
    %g0: tensor<48x16xf32> {muon.role = #muon.role<gradient>, muon.names = ["a"], muon.unreduced = #muon.unreduced<[1], mean>},
    %w1: tensor<48x16xf32> {muon.role = #muon.role<weight>, muon.names = ["b"]},
    %g1: tensor<48x16xf32> {muon.role = #muon.role<gradient>, muon.names = ["b"], muon.unreduced = #muon.unreduced<[1], mean>},
    %w2: tensor<48x16xf32> {muon.role = #muon.role<weight>, muon.names = ["c"]},
    %g2: tensor<48x16xf32> {muon.role = #muon.role<gradient>, muon.names = ["c"], muon.unreduced = #muon.unreduced<[1], mean>},
    %w3: tensor<48x16xf32> {muon.role = #muon.role<weight>, muon.names = ["d"]},
    %g3: tensor<48x16xf32> {muon.role = #muon.role<gradient>, muon.names = ["d"], muon.unreduced = #muon.unreduced<[1], mean>}) {
  %0 = muon.optimize weight(%w0) gradient(%g0) {muon.strategy = "own"} : tensor<48x16xf32>, tensor<48x16xf32>
  %1 = muon.optimize weight(%w1) gradient(%g1) {muon.strategy = "own"} : tensor<48x16xf32>, tensor<48x16xf32>
  %2 = muon.optimize weight(%w2) gradient(%g2) {muon.strategy = "own"} : tensor<48x16xf32>, tensor<48x16xf32>
  %3 = muon.optimize weight(%w3) gradient(%g3) {muon.strategy = "own"} : tensor<48x16xf32>, tensor<48x16xf32>
  return
}
